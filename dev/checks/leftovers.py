"""What should not be in the repository."""

import re

from checks.tree import Finding

BLOB_BYTES = 1_000_000

# The words are put together here, so that this file does not refuse itself.
_MARKER = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
_MACHINE_PATH = re.compile(
    r"(?<![\w.~*-])/(?:" + "|".join(["work", "root"]) + r")/\w|/tmp/" + r"bash_jobs|/opt/" + r"swift-packages"
)
_BUILD_RESULT = re.compile(r"(^|/)(\.build[^/]*/|Package\.resolved$|\.swiftpm/|__pycache__/|node_modules/|\.DS_Store$)")


def check(tree):
    """Refuses leftover markers, paths of one machine, tracked build results and files of more than a megabyte."""
    for path in tree.tracked:
        if _BUILD_RESULT.search(path):
            yield Finding(path, 1, "is made by a build; take it out with `git rm --cached`")
    for file in tree.files:
        if file.byte_count > BLOB_BYTES:
            message = f"{file.byte_count} bytes, at most {BLOB_BYTES}; history keeps every version for good"
            yield Finding(file.path, 1, message)
            continue
        if file.path == "LICENSE":
            continue
        for number, line in enumerate(file.lines, 1):
            match = _MARKER.search(line)
            if match:
                yield Finding(file.path, number, f"{match.group()}: do it, or open an issue and say it there")
            match = _MACHINE_PATH.search(line)
            if match:
                yield Finding(file.path, number, f"{match.group()} is a path of one machine; make it a parameter")
