"""Long files and long functions."""

import re

from checks.swift_text import line_number
from checks.tree import Finding

FILE_LINES = 800
FUNCTION_LINES = 70
_MEASURED = (".swift", ".c", ".cc", ".cpp", ".h", ".hpp", ".py", ".sh", ".js", ".mjs")

_DECLARATION = re.compile(
    r"(?<![.\w`])(?:"
    r"func\s+(?P<func>`[^`]*`|[^\s(<]+)"
    r"|(?P<init>init)\s*[?!]?\s*(?=[(<])"
    r"|(?P<deinit>deinit)\b"
    r"|(?P<subscript>subscript)\s*(?=[(<])"
    r"|var\s+(?P<var>`[^`]*`|\w+)\s*:"
    r")"
)
# What follows a declaration without a body, such as a requirement of a protocol.
_NEXT_DECLARATION = re.compile(
    r"(?:func|var|let|init|deinit|subscript|struct|class|enum|actor|extension|protocol|case|typealias|associatedtype"
    r"|import|static|public|package|internal|private|fileprivate|mutating|override|return)\b|[@#]"
)


def check(tree):
    """Refuses files of more than 800 lines and functions of more than 70, Generated/ apart."""
    for file in tree.files:
        if file.is_generated or not file.path.endswith(_MEASURED) or file.text is None:
            continue
        if len(file.lines) > FILE_LINES:
            message = f"{len(file.lines)} lines, at most {FILE_LINES}; give a concept a file of its own"
            yield Finding(file.path, FILE_LINES + 1, message)
    for file in tree.swift("Sources/", "Tests/", "Package.swift"):
        for name, line, count in functions(file.code):
            if count > FUNCTION_LINES:
                message = f"{name} has {count} lines, at most {FUNCTION_LINES}; keep the branches, move the work out"
                yield Finding(file.path, line, message)


def functions(code):
    """The functions, initializers, accessors in blanked code, as (name, first line, number of lines)."""
    for match in _DECLARATION.finditer(code):
        start = _body_start(code, match.end(), is_property=match.group("var") is not None)
        if start is None:
            continue
        end = _closing_brace(code, start)
        kind = match.lastgroup
        name = match.group(kind) if kind in ("func", "var") else kind
        first = line_number(code, match.start())
        yield name, first, line_number(code, end) - first + 1


def _body_start(code, i, is_property):
    """The position of the brace that opens the body of the declaration whose name ends at i."""
    depth = 0
    while i < len(code):
        c = code[i]
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0 and c == "{":
            return i
        elif depth == 0 and c in "};":
            return None
        elif depth == 0 and c == "=" and is_property and code[i + 1 : i + 2] != "=":
            return None
        elif depth == 0 and c == "\n":
            rest = code[i:].lstrip()
            if is_property and not rest.startswith("{"):
                return None
            if _NEXT_DECLARATION.match(rest):
                return None
        i += 1
    return None


def _closing_brace(code, start):
    depth = 0
    for match in re.finditer(r"[{}]", code[start:]):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return start + match.start()
    return len(code)
