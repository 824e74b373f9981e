"""Shell scripts, and tests that would never run."""

import os
import re
import shutil
import subprocess

from checks.tree import Finding

_RUN_BY_NAME = re.compile(r"^(dev/tests|Tests/e2e)/[^/]+\.(sh|py|mjs)$")
_SHELLCHECK = re.compile(r"^(?P<path>.+?):(?P<line>\d+):\d+: (?P<message>.*)$")


def check(tree):
    """Refuses test scripts that are not executable, executables without a #! line, and what shellcheck warns of."""
    shell = []
    for file in tree.files:
        is_executable = os.access(file.location, os.X_OK)
        first = file.lines[0] if file.lines else ""
        if is_executable and file.text is not None and not first.startswith("#!"):
            yield Finding(file.path, 1, "is executable but has no #! line; add one, or `chmod -x` it")
        # Modules that test scripts share have no #! line and are not run.
        if _RUN_BY_NAME.match(file.path) and first.startswith("#!") and not is_executable:
            yield Finding(file.path, 1, "is a test script that make test would leave out; `chmod +x` it")
        if re.match(r"#!.*\b(ba)?sh\b", first):
            shell.append(file.path)
    if not shell:
        return
    if shutil.which("shellcheck") is None:
        # A build machine without it still gets every other check; `make test` installs it.
        return
    command = ["shellcheck", "--format=gcc", "--severity=style", *shell]
    result = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    for line in result.stdout.splitlines():
        match = _SHELLCHECK.match(line)
        if match:
            yield Finding(match["path"], int(match["line"]), match["message"])
