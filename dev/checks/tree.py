"""The files under check, read once, and what a finding is."""

import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from checks.swift_text import code_only


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to mend: where, and what to do about it."""

    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


class File:
    """One file, by its path from the root."""

    def __init__(self, root, path):
        self.path = path
        self.location = root / path

    @property
    def byte_count(self):
        return self.location.stat().st_size

    @cached_property
    def text(self):
        """The content, or None for a file that is not UTF-8 text."""
        data = self.location.read_bytes()
        if b"\0" in data[:8192]:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None

    @cached_property
    def lines(self):
        return (self.text or "").splitlines()

    @cached_property
    def code(self):
        """The Swift code with comments and string contents blanked, so that positions stay the same."""
        return code_only(self.text or "")

    @cached_property
    def code_lines(self):
        return self.code.split("\n")

    @property
    def module(self):
        """The target in Sources or Tests that the file belongs to, or None."""
        parts = self.path.split("/")
        return parts[1] if len(parts) > 2 and parts[0] in ("Sources", "Tests") else None

    @property
    def is_generated(self):
        return "Generated" in self.path.split("/")


class Tree:
    """All files of a folder that git tracks or would track."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.tracked = self._git("ls-files")
        others = self._git("ls-files", "--others", "--exclude-standard")
        paths = sorted(set(self.tracked + others))
        self.files = [File(self.root, path) for path in paths if (self.root / path).is_file()]

    def _git(self, *arguments):
        command = ["git", "-C", str(self.root), "-c", "core.quotePath=false", *arguments]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise SystemExit(f"error: {' '.join(command)}: {result.stderr.strip()}")
        return result.stdout.splitlines()

    def swift(self, *folders):
        """The Swift files in the given folders, without the generated ones."""
        return [
            file
            for file in self.files
            if file.path.endswith(".swift") and file.path.startswith(folders) and not file.is_generated
        ]
