"""Links between the pages of the documentation."""

import re
from urllib.parse import unquote

from checks.tree import Finding

_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|\b(?:src|href)=\"([^\"]+)\"")
_EXTERNAL = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//|#)")


def check(tree):
    """Refuses a link or an image in a Markdown page whose file is not in the repository."""
    for file in tree.files:
        if not file.path.endswith(".md"):
            continue
        in_code = False
        for number, line in enumerate(file.lines, 1):
            if line.lstrip().startswith("```"):
                in_code = not in_code
            if in_code:
                continue
            for match in _LINK.finditer(re.sub(r"`[^`]*`", "", line)):
                target = match.group(1) or match.group(2)
                if _EXTERNAL.match(target):
                    continue
                path = unquote(target.split("#")[0])
                base = tree.root if path.startswith("/") else file.location.parent
                if not (base / path.lstrip("/")).exists():
                    yield Finding(file.path, number, f"the link to {target} leads nowhere")
