"""The order of the layers.

A target imports only from lower layers, never from its own, unless the pair is listed. Both what the files import and
what Package.swift declares is looked at: an import of a target that is not declared may build by luck and break later.
"""

import json
import re
import shutil
import subprocess
import tempfile

from checks.tree import Finding

# A new target gets its line here and in docs/architecture.md.
LAYERS = {
    "OgawaCore": 0,
    "OgawaPlatform": 1,
    "OgawaJSON": 1,
    "OgawaMQTT": 1,
    "OgawaSQL": 1,
    "OgawaLog": 2,
    "OgawaStore": 2,
    "OgawaState": 2,
    "OgawaFunctions": 2,
    "OgawaEngine": 3,
    "OgawaHost": 3,
    "OgawaConnectors": 4,
    "OgawaServer": 4,
    "Ogawa": 5,
    "OgawaCLI": 6,
}
# A C module is seen by the Swift module that wraps it and by nobody else.
WRAPPED_BY = {"COgawaPlatform": "OgawaPlatform", "COgawaJSON": "OgawaJSON"}
# Imports inside one layer that are meant, as (importing, imported), with the reason behind.
SIDEWAYS = set()
# For tests: imported by no target that ships.
TESTING = "OgawaTesting"
TESTING_MAY_IMPORT = {"OgawaCore", "OgawaPlatform", "OgawaLog", "OgawaStore"}
# Sockets stay at the edge; below, everything can be tested without them.
EDGE_ONLY = re.compile(r"^(NIO\w*|Hummingbird\w*|_NIO\w*)$")
EDGE_LAYER = 4

_IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?"
    r"import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)"
)


def check(tree):
    """Refuses an import or a dependency from a lower layer on a higher one, between targets of one layer, of
    OgawaTesting outside tests, of a C module past its wrapper, of NIO below the server, of a target that Package.swift
    does not declare; and a target without a layer."""
    declared = yield from _dependencies(tree)
    unknown, undeclared = set(), set()
    for file in tree.swift("Sources/", "Tests/"):
        target = file.module
        is_test = file.path.startswith("Tests/")
        if target is None or is_test and declared is not None and target not in declared:
            continue
        if not is_test and not _is_known(target):
            if target not in unknown:
                unknown.add(target)
                yield Finding(file.path, 1, f"{target} has no layer; give it one in dev/checks/layers.py")
            continue
        for number, line in enumerate(file.code_lines, 1):
            match = _IMPORT.match(line)
            if match is None:
                continue
            imported = match.group(1)
            problem = None if is_test else refusal(target, imported)
            if problem is None and declared is not None and _is_known(imported) and imported != target:
                if imported not in declared.get(target, ()) and (target, imported) not in undeclared:
                    undeclared.add((target, imported))
                    problem = f"{target} does not depend on {imported} in Package.swift; declare it there"
            if problem:
                yield Finding(file.path, number, problem)


def refusal(target, imported):
    """Why a target of ours may not use a module, or None if it may."""
    if target in WRAPPED_BY:
        return f"{target} is a C module and depends on no Swift module" if _is_known(imported) else None
    if imported in WRAPPED_BY:
        owner = WRAPPED_BY[imported]
        return None if target == owner else f"{imported} belongs to {owner}; use {owner} instead of {imported}"
    if imported == TESTING:
        return f"{TESTING} is for tests; {target} ships"
    if target == TESTING:
        if _is_known(imported) and imported not in TESTING_MAY_IMPORT:
            return f"{TESTING} imports only {', '.join(sorted(TESTING_MAY_IMPORT))}, not {imported}"
        return None
    layer = LAYERS[target]
    if EDGE_ONLY.match(imported) and layer < EDGE_LAYER:
        return f"{target} (L{layer}) may not use {imported}: sockets begin at L{EDGE_LAYER}"
    if imported not in LAYERS or imported == target:
        return None
    other = LAYERS[imported]
    if other > layer:
        return f"{target} (L{layer}) imports {imported} (L{other}): an upward import; move the code or pass a protocol"
    if other == layer and (target, imported) not in SIDEWAYS:
        return f"{target} and {imported} are both in L{layer}: a sideways import; meet in a lower or higher layer"
    return None


def _is_known(name):
    return name in LAYERS or name in WRAPPED_BY or name == TESTING


def _dependencies(tree):
    """The declared dependencies of each target, by name; None without Package.swift. Yields what they break."""
    manifest = next((file for file in tree.files if file.path == "Package.swift"), None)
    if manifest is None:
        return None
    if shutil.which("swift") is None:
        yield Finding("Package.swift", 1, "swift is not on the PATH, so the targets cannot be read")
        return None
    # A scratch folder of its own, since a build that is under way holds the lock of .build.
    with tempfile.TemporaryDirectory() as scratch:
        command = ["swift", "package", "--scratch-path", scratch, "dump-package"]
        result = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    if result.returncode != 0:
        yield Finding("Package.swift", 1, f"cannot be read: {result.stderr.strip()[:400]}")
        return None
    declared = {}
    for target in json.loads(result.stdout)["targets"]:
        name = target["name"]
        names = {next(iter(value.values()))[0] if isinstance(value, dict) else value
                 for value in target["dependencies"]}
        declared[name] = names
        line = _line_of(manifest, name)
        if target["type"] == "test":
            continue
        if not _is_known(name):
            yield Finding("Package.swift", line, f"{name} has no layer; give it one in dev/checks/layers.py")
            continue
        for dependency in sorted(names):
            problem = refusal(name, dependency)
            if problem:
                yield Finding("Package.swift", line, problem)
    return declared


def _line_of(manifest, target):
    """The line where the target is declared: where its name begins the arguments."""
    pattern = re.compile(rf'(?:\(|name:\s*)"{re.escape(target)}"')
    in_targets = False
    found = 1
    for number, line in enumerate(manifest.lines, 1):
        in_targets = in_targets or re.match(r"\s*targets:\s*\[\s*$", line) is not None
        here = pattern.search(line) or (in_targets and re.match(rf'\s*"{re.escape(target)}",', line))
        if here and (in_targets or found == 1):
            if in_targets:
                return number
            found = number
    return found
