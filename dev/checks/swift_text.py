"""Tells Swift code from comments, strings and regular expressions, without parsing it.

`code_only` gives back a text of the same length and with the same line ends, in which everything that is not code is
blanked. Code inside `\\(…)` of a string stays, since it is code; the quotes stay, so that a string is still seen.
Handled: nested block comments, escapes, raw strings with any number of #, multi-line strings, nested interpolation,
`/…/` and `#/…/#` literals.
"""

import re

# A slash begins a regular expression only where an operand may begin, and never before a space.
_BEFORE_OPERAND = re.compile(r"(^|[=(\[{,:;!&|?]|\breturn|\bin|\bcase)\s*$")
_BARE_REGEX = re.compile(r"/(?![ \t*/])(\\.|[^/\\\n])*/")
_STRING_START = re.compile(r'(#*)("""|")')
_REGEX_START = re.compile(r"(#+)/")


def code_only(text):
    """The text with comments and contents of strings replaced by spaces."""
    blanker = _Blanker(text)
    blanker.code(0, closing=None)
    return "".join(blanker.out)


class _Blanker:
    def __init__(self, text):
        self.text = text
        self.out = list(text)

    def blank(self, start, end):
        for i in range(start, min(end, len(self.text))):
            if self.text[i] != "\n":
                self.out[i] = " "

    def code(self, i, closing):
        """Walks over code from i to the end, or to the parenthesis that closes an interpolation."""
        depth = 0
        text = self.text
        while i < len(text):
            c = text[i]
            if c == "/":
                i = self.slash(i)
            elif c in '"#':
                i = self.quoted(i)
            elif closing and c == "(":
                depth += 1
                i += 1
            elif closing and c == ")":
                if depth == 0:
                    return i + 1
                depth -= 1
                i += 1
            else:
                i += 1
        return i

    def slash(self, i):
        """Blanks the comment or regular expression at i, if it is one."""
        text = self.text
        if text.startswith("//", i):
            end = text.find("\n", i)
            end = len(text) if end < 0 else end
            self.blank(i, end)
            return end
        if text.startswith("/*", i):
            end = self.end_of_block_comment(i)
            self.blank(i, end)
            return end
        match = _BARE_REGEX.match(text, i)
        line_start = text.rfind("\n", 0, i) + 1
        if match and _BEFORE_OPERAND.search(text[line_start:i]):
            self.blank(i + 1, match.end() - 1)
            return match.end()
        return i + 1

    def end_of_block_comment(self, i):
        depth = 0
        for match in re.finditer(r"/\*|\*/", self.text[i:]):
            depth += 1 if match.group() == "/*" else -1
            if depth == 0:
                return i + match.end()
        return len(self.text)

    def quoted(self, i):
        """Blanks the string or the extended regular expression at i, if it is one."""
        match = _STRING_START.match(self.text, i)
        if match:
            return self.string(match.end(), match.group(1), match.group(2))
        match = _REGEX_START.match(self.text, i)
        if match:
            end = self.text.find("/" + match.group(1), match.end())
            end = len(self.text) if end < 0 else end
            self.blank(match.end(), end)
            return end + 1 + len(match.group(1))
        return i + 1

    def string(self, i, hashes, quotes):
        """Blanks the string whose content begins at i; gives the position after it."""
        text, terminator, escape = self.text, quotes + hashes, "\\" + hashes
        while i < len(text):
            if text.startswith(terminator, i):
                return i + len(terminator)
            if text[i] == "\n" and quotes == '"':
                return i
            if text.startswith(escape + "(", i):
                self.blank(i, i + len(escape))
                i = self.code(i + len(escape) + 1, closing=")")
            elif text.startswith(escape, i):
                self.blank(i, i + len(escape) + 1)
                i += len(escape) + 1
            else:
                self.blank(i, i + 1)
                i += 1
        return i


def line_number(text, position):
    """The 1-based number of the line that holds the position."""
    return text.count("\n", 0, position) + 1
