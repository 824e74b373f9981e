"""The format of the Swift code."""

import re
import shutil
import subprocess

from checks.tree import Finding

_FINDING = re.compile(r"^(?P<path>.+?):(?P<line>\d+):\d+: (?:error|warning): (?P<message>.*)$")


def check(tree):
    """Refuses what swift-format, with .swift-format and --strict, would change or warns of in Sources, Tests and
    Package.swift."""
    files = [file.path for file in tree.swift("Sources/", "Tests/", "Package.swift")]
    if not files:
        return
    if shutil.which("swift") is None:
        yield Finding("dev/check", 1, "swift is not on the PATH, so the format cannot be checked")
        return
    command = ["swift", "format", "lint", "--strict", "--parallel", *files]
    result = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    output = (result.stdout + result.stderr).splitlines()
    found = False
    for line in output:
        match = _FINDING.match(line)
        if match:
            found = True
            path = match["path"].removeprefix(f"{tree.root}/")
            message = match["message"]
            if "[AddLines]" in message or "[Spacing]" in message or "[Indentation]" in message:
                message += "; `make format` does it"
            yield Finding(path, int(match["line"]), message)
    if result.returncode != 0 and not found:
        yield Finding(".swift-format", 1, f"swift format failed: {' '.join(output)[:400]}")
