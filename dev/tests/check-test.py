#!/usr/bin/env python3
"""Shows each check of dev/check failing: a small repository with one violation each, and clean ones that pass."""

import subprocess
import sys
import tempfile
from pathlib import Path

CHECK = Path(__file__).resolve().parent.parent / "check"
FORMAT = (CHECK.parent.parent / ".swift-format").read_text()

MANIFEST = """\
// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "ogawa",
    targets: [
        .target(name: "OgawaCore"),
        .target(name: "OgawaSQL", dependencies: ["OgawaCore"]),
        .target(name: "OgawaLog", dependencies: ["OgawaCore"]),
    ]
)
"""
CORE = "/// A position in a partition.\npackage struct Offset {}\n"


def lines(count, line="let a = 1"):
    return f"{line}\n" * count


def function(count, head="func long() {"):
    """A function of so many lines, the first and the last included."""
    return f"{head}\n{lines(count - 2, '    work()')}}}\n"


def source(text, module="OgawaLog"):
    return {f"Sources/{module}/File.swift": text}


# Words that the check refuses in this file, too.
UNCHECKED = "-O" + "unchecked"
MARKER = "TO" + "DO"
HOME = "/ro" + "ot/"

# (check, what is shown, files, the message that is expected; None: the check passes)
CASES = [
    # Format
    ("format", "clean code", source(CORE), None),
    ("format", "a missing space", source("let a=1\n"), "File.swift:1: "),
    ("format", "a line that is too long", source(f"let a = {' + '.join(['one'] * 40)}\n"), "[LineLength]"),
    ("format", "a force unwrap", source("let a = b!\n"), "NeverForceUnwrap"),
    ("format", "a forced try", source("let a = try! b()\n"), "NeverUseForceTry"),
    ("format", "a tab in a test", {"Tests/OgawaLogTests/A.swift": "func a() {\n\tb()\n}\n"}, "A.swift:2: "),
    # Layers: what the files import
    ("layers", "a downward import", source("import OgawaCore\n"), None),
    ("layers", "an upward import", source("import OgawaEngine\n"),
     "File.swift:1: OgawaLog (L2) imports OgawaEngine (L3): an upward import"),
    ("layers", "an upward import behind words", source("\n@preconcurrency public import struct Ogawa.Project\n"),
     "File.swift:2: OgawaLog (L2) imports Ogawa (L5)"),
    ("layers", "a sideways import", source("import OgawaStore\n"), "are both in L2: a sideways import"),
    ("layers", "OgawaTesting where it ships", source("import OgawaTesting\n"), "OgawaTesting is for tests"),
    ("layers", "OgawaTesting in a test", {"Tests/OgawaLogTests/A.swift": "import OgawaTesting\n"}, None),
    ("layers", "OgawaTesting that reaches up", source("import OgawaServer\n", "OgawaTesting"), "imports only"),
    ("layers", "a C module past its wrapper", source("import COgawaJSON\n"), "COgawaJSON belongs to OgawaJSON"),
    ("layers", "a C module in its wrapper", source("import COgawaJSON\n", "OgawaJSON"), None),
    ("layers", "sockets below the edge", source("import NIOCore\n"), "may not use NIOCore"),
    ("layers", "sockets at the edge", source("import NIOCore\n", "OgawaServer"), None),
    ("layers", "a target without a layer", source("import OgawaCore\n", "OgawaNew"), "OgawaNew has no layer"),
    ("layers", "imports in comments and strings",
     source('// import OgawaEngine\n/*\nimport OgawaEngine\n*/\nlet a = """\n    import OgawaEngine\n    """\n'), None),
    # Layers: what Package.swift declares
    ("layers", "a clean Package.swift",
     {"Package.swift": MANIFEST, **source(CORE, "OgawaCore"), **source("import OgawaCore\n")}, None),
    ("layers", "an upward dependency",
     {"Package.swift": MANIFEST.replace('name: "OgawaCore"', 'name: "OgawaCore", dependencies: ["OgawaStore"]')},
     "Package.swift:7: OgawaCore (L0) imports OgawaStore (L2): an upward import"),
    ("layers", "a dependency that is not declared",
     {"Package.swift": MANIFEST, **source("import OgawaPlatform\n")},
     "OgawaLog does not depend on OgawaPlatform in Package.swift"),
    ("layers", "a declared target without a layer",
     {"Package.swift": MANIFEST.replace("OgawaSQL", "OgawaTea")}, "Package.swift:8: OgawaTea has no layer"),
    ("layers", "a Package.swift that is broken", {"Package.swift": MANIFEST.replace("targets", "tragets")},
     "Package.swift:1: cannot be read"),
    # Sizes
    ("sizes", "a file of 800 lines", source(lines(800)), None),
    ("sizes", "a file of 801 lines", source(lines(801)), "801 lines, at most 800"),
    ("sizes", "a generated file", {"Sources/OgawaLog/Generated/Table.swift": lines(2000)}, None),
    ("sizes", "a function of 70 lines", source(function(70)), None),
    ("sizes", "a function of 71 lines", source("\n" + function(71)), "File.swift:2: long has 71 lines, at most 70"),
    ("sizes", "a function with an odd name", source(function(71, "func `ends late`<T>(a: (Int) -> T = { 1 })\n{")),
     "`ends late` has 72 lines"),
    ("sizes", "a long initializer", source(f"struct A {{\n{function(71, 'init?(a: Int) throws {')}}}\n"), "init has 71"),
    ("sizes", "a long property", source(function(71, "var body: [Int] {")), "body has 71 lines"),
    ("sizes", "a long test", {"Tests/A/A.swift": function(71, "@Test func `it holds`() {")}, "`it holds` has 71"),
    ("sizes", "a requirement before a long type",
     source(f"protocol A {{\n    func a() -> Int\n    var b: Int {{ get }}\n}}\nextension B {{\n{lines(90)}}}\n"), None),
    ("sizes", "a stored property before a long type", source(f"var a: Int = 1\nstruct B {{\n{lines(90)}}}\n"), None),
    ("sizes", "a call of an initializer in a long closure", source(f"let a = B.init(1) {{\n{lines(90)}}}\n"), None),
    ("sizes", "braces in strings, comments and patterns",
     source('func a() {\n    b("}", #"\\"}"#, "\\(c("}"))")  // }\n    /* } /* } */ } */\n    let d = /[}"]/\n'
            + '    let e = """\n        } " \\"""\n        """\n' + lines(80, "    work()") + "}\n"), "a has 88 lines"),
    ("sizes", "an opening brace in a string", source('func a() { b("{") }\n' + lines(90)), None),
    ("sizes", "a long script", {"dev/a.py": lines(801, "a = 1")}, "801 lines"),
    # Calls
    ("calls", "a formatted string", source('let a = String(format: "%d", 1)\n'), "String(format:"),
    ("calls", "print in a library", source("print(1)\n"), "print: log it"),
    ("calls", "print inside a string's code", source('let a = "\\(print(1))"\n'), "print: log it"),
    ("calls", "print in the command line", source("print(1)\n", "OgawaCLI"), None),
    ("calls", "a method named print", source("a.print(1)\nfunc print(_ a: Int) {}\n"), None),
    ("calls", "an exported import", source("@_exported import OgawaCore\n"), "@_exported"),
    ("calls", "a clock in the engine", source("let a = ContinuousClock.now\n", "OgawaEngine"), "ContinuousClock: take"),
    ("calls", "chance in the engine", source("let a = Int.random(in: 0..<9)\n", "OgawaEngine"), ".random: take"),
    ("calls", "chance from a seed", source("let a = Int.random(in: 0..<9, using: &seed)\n", "OgawaEngine"), None),
    ("calls", "a clock in the server", source("let a = ContinuousClock.now\n", "OgawaServer"), None),
    ("calls", "Foundation in the log", source("import Foundation\n"), "Foundation is not imported in OgawaLog"),
    ("calls", "a part of Foundation", source("public import FoundationEssentials\n"), "FoundationEssentials is not"),
    ("calls", "Foundation in the server", source("import Foundation\n", "OgawaServer"), None),
    *[("calls", f"{word} without an argument", source(f"\n{word} \n"), f"File.swift:2: {shown} needs a // SAFETY:")
      for word, shown in [
          ("class A: @unchecked Sendable {}", "@unchecked Sendable"),
          ("nonisolated(unsafe) var a = 1", "nonisolated(unsafe)"),
          ("unsafeBitCast(a, to: Int.self)", "unsafeBitCast"),
          ('preconditionFailure("a")', "preconditionFailure"),
          ('fatalError("a")', "fatalError"),
          ("let a = try! b()", "try!"),
          ("let a = b as! C", "as!"),
      ]],
    ("calls", "an argument above", source('// SAFETY: the lock is held.\nlet a = 1\nfatalError("a")\n'), None),
    ("calls", "an argument of several lines",
     source("// SAFETY: the lock\n// is held,\n// always,\n// by all.\nclass A: @unchecked Sendable {}\n"), None),
    ("calls", "an argument too far above",
     source("// SAFETY: the lock is held.\n" + lines(3) + "class A: @unchecked Sendable {}\n"), "needs a // SAFETY:"),
    ("calls", "a comment on fatalError", source('// Never fatalError("a") or try! here.\n'), None),
    ("calls", "a testable import", {"Tests/A/A.swift": "@testable import OgawaLog\n"}, "@testable does not work"),
    ("calls", "optimisation without checks", {"Package.swift": f'let flags = ["{UNCHECKED}"]\n'}, UNCHECKED),
    ("calls", "the same in the Makefile", {"Makefile": f"a:\n\tswiftc {UNCHECKED}\n"}, "Makefile:2: " + UNCHECKED),
    ("calls", "the same in a page that warns of it", {"docs/a.md": f"Never {UNCHECKED}.\n"}, None),
    # Leftovers
    ("leftovers", "a marker in code", source(f"// {MARKER}: later\n"), f"File.swift:1: {MARKER}"),
    ("leftovers", "a marker in a page", {"docs/a.md": f"\n{'FIX' + 'ME'}\n"}, "docs/a.md:2: "),
    ("leftovers", "a name for mktemp", {"dev/a": "mktemp -d /tmp/a.XXXXXX\n"}, None),
    ("leftovers", "a path of one machine", {"docs/a.md": f"See {HOME}a.\n"}, "is a path of one machine"),
    ("leftovers", "a part of a longer path", {"docs/a.md": f"See /usr{HOME}a.\n"}, None),
    ("leftovers", "a tracked Package.resolved", {"Package.resolved": "{}\n"}, "Package.resolved:1: is made by a build"),
    ("leftovers", "a tracked build folder", {".build-a/b.txt": "b\n"}, ".build-a/b.txt:1: is made by a build"),
    ("leftovers", "a large file", {"docs/a.bin": "a" * 1_000_001}, "1000001 bytes, at most 1000000"),
    # Scripts
    ("scripts", "a test script that is not executable", {"dev/tests/a.sh": "#!/bin/sh\n"}, "chmod +x"),
    ("scripts", "a module of test scripts", {"Tests/e2e/a.py": '"""Shared."""\n'}, None),
    ("scripts", "an executable without #!", {"dev/a+x": "a\n"}, "has no #! line"),
    ("scripts", "a mistake in a shell script", {"dev/a+x": "#!/bin/sh\necho $1\n"}, "dev/a:2: "),
    # Links
    ("links", "a link that leads nowhere", {"README.md": "\n[a](docs/none.md)\n"}, "README.md:2: the link to docs/none.md"),
    ("links", "an image that is not there", {"README.md": '<img src="docs/a.png">\n'}, "the link to docs/a.png"),
    ("links", "links that lead somewhere",
     {"README.md": "[a](docs/a.md#b) [c](https://d.e/) [f](#g)\n", "docs/a.md": "[h](../README.md)\n"}, None),
    ("links", "a link in an example", {"README.md": "```\n[a](none.md)\n```\nand `[a](none.md)`\n"}, None),
]


def run_check(name, files):
    """The exit code and the output of one check on a repository with the given files; `+x` makes one executable."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text in {".swift-format": FORMAT, **files}.items():
            file = root / path.removesuffix("+x")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            if path.endswith("+x"):
                file.chmod(0o755)
        for command in (["git", "init", "-q"], ["git", "add", "-A", "-f"]):
            subprocess.run(command, cwd=root, check=True)
        result = subprocess.run([CHECK, "--root", root, name], capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr


def problem_of(name, files, expected):
    """What is wrong with the answer of the check, or None."""
    code, output = run_check(name, files)
    if expected is None:
        return None if code == 0 and output.endswith("1 passed, 0 failed\n") else f"expected no finding:\n{output}"
    if code != 1 or not output.endswith("0 passed, 1 failed\n"):
        return f"expected exit code 1 and a failed check, found {code}:\n{output}"
    return None if expected in output else f"expected {expected!r} in:\n{output}"


def main():
    failed = 0
    for name, title, files, expected in CASES:
        problem = problem_of(name, files, expected)
        failed += problem is not None
        verdict = "ok   " if problem is None else "FAIL "
        print(f"{verdict} {name}: {title} {'passes' if expected is None else 'is refused'}")
        if problem:
            print("      " + problem.replace("\n", "\n      "))
        sys.stdout.flush()
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
