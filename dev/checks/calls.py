"""Calls that have a better replacement, and promises that need an argument."""

import re
from dataclasses import dataclass

from checks.tree import Finding

# No clock and no chance in these: the same input gives the same output, live, after a crash and in a replay.
PURE = {"OgawaCore", "OgawaJSON", "OgawaMQTT", "OgawaSQL", "OgawaEngine"}
NO_FOUNDATION = {
    "OgawaCore", "OgawaPlatform", "OgawaJSON", "OgawaMQTT", "OgawaSQL", "OgawaLog", "OgawaState", "OgawaFunctions",
    "OgawaEngine",
}
_MAY_PRINT = {"OgawaCLI", "OgawaTesting"}
_SAFETY_LINES = 3
_UNCHECKED = "-O" + "unchecked"


@dataclass(frozen=True)
class Ban:
    """A pattern in code, what to do instead, and where it holds."""

    pattern: re.Pattern
    instead: str
    only: frozenset = frozenset()
    exempt: frozenset = frozenset()
    # True if a // SAFETY: line may say why the call is right here.
    is_arguable: bool = False

    def holds_in(self, module):
        return module not in self.exempt and (not self.only or module in self.only)


def _ban(pattern, instead, only=(), exempt=(), is_arguable=False):
    return Ban(re.compile(pattern), instead, frozenset(only), frozenset(exempt), is_arguable)


BANNED = [
    _ban(r"\bString\(\s*format:", "use interpolation: this parses its format for each call", exempt={"OgawaCLI"}),
    _ban(
        r"(?<![.\w])(?<!func )(?:print|debugPrint|dump)\(",
        "log it, or give it back to the command line",
        exempt=_MAY_PRINT,
    ),
    _ban(r"@_exported\b", "import where it is used, so that layers can be seen"),
    _ban(
        r"\b(?:ContinuousClock|SuspendingClock|SystemRandomNumberGenerator|clock_gettime|gettimeofday)\b"
        r"|\bDate\(\)|\.random\((?![^)]*using:)",
        "take times from the records and chance from a seed; if no result can depend on it, say so after // SAFETY:",
        only=PURE,
        is_arguable=True,
    ),
]
# Right only with an argument that a reader can check.
NEEDS_ARGUMENT = re.compile(
    r"@unchecked\s+Sendable|nonisolated\(unsafe\)|\bunowned\(unsafe\)|\bunsafeBitCast\b|\bunsafeDowncast\b"
    r"|\bpreconditionFailure\(|\bfatalError\(|\btry!|\bas!"
)
_FOUNDATION = re.compile(r"^\s*(?:@\w+\s+)*(?:\w+\s+)?import\s+(?:\w+\s+)?(Foundation\w*)")


def check(tree):
    """Refuses calls that have a better replacement (String(format:), print outside the command line, clocks in pure
    modules, Foundation in the ingest path), try!, as!, fatalError, unchecked Sendable and their kin without a
    // SAFETY: line at most three lines above, @testable, and unchecked optimisation."""
    for file in tree.swift("Sources/"):
        yield from _in_sources(file)
    for file in tree.swift("Tests/"):
        for number, line in enumerate(file.code_lines, 1):
            if re.search(r"@testable\b", line):
                message = "@testable does not work in release builds; test through the package interface"
                yield Finding(file.path, number, message)
    for file in tree.files:
        if file.text is None or file.path.endswith(".md") or _UNCHECKED not in file.text:
            continue
        for number, line in enumerate(file.lines, 1):
            if _UNCHECKED in line:
                yield Finding(file.path, number, f"{_UNCHECKED} turns checks into undefined behaviour; use -O")


def _in_sources(file):
    for number, line in enumerate(file.code_lines, 1):
        for ban in BANNED:
            match = ban.pattern.search(line)
            if match and ban.holds_in(file.module) and not (ban.is_arguable and _has_argument(file, number)):
                yield Finding(file.path, number, f"{_shown(match)}: {ban.instead}")
        match = NEEDS_ARGUMENT.search(line)
        if match and not _has_argument(file, number):
            message = f"{_shown(match)} needs a // SAFETY: line that says why it holds, within {_SAFETY_LINES} lines above"
            yield Finding(file.path, number, message)
        match = _FOUNDATION.match(line)
        if match and file.module in NO_FOUNDATION:
            message = f"{match.group(1)} is not imported in {file.module}; use Glibc, or move this to a higher layer"
            yield Finding(file.path, number, message)


def _has_argument(file, number):
    """True if a SAFETY comment stands on the line, or not more than three lines above the code or its comment block."""
    if "// SAFETY:" in file.lines[number - 1]:
        return True
    above = number - 2
    for _ in range(_SAFETY_LINES):
        if above < 0:
            return False
        # The argument may take several lines; they count as one.
        while above > 0 and file.lines[above].lstrip().startswith("//"):
            if "// SAFETY:" in file.lines[above]:
                return True
            above -= 1
        if "// SAFETY:" in file.lines[above]:
            return True
        above -= 1
    return False


def _shown(match):
    return match.group().strip().rstrip("(")
