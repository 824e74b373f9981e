#!/usr/bin/env python3
"""Runs the commands that the documents show, as they stand there, against the real program.

README.md is followed from the start of a project to rows in its table; the `sh` blocks of docs/*.md are sent to the instance that this
starts. Only the ports are replaced by free ones, so that nothing else on the machine is disturbed. `make run` and `make test` are
left to those who run this test.

    OGAWA=.build/release/ogawa Tests/e2e/docs_test.py
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OGAWA = os.path.abspath(os.environ.get("OGAWA", os.path.join(ROOT, ".build/release/ogawa")))
passed, failed = 0, 0


def check(name, is_right, detail=""):
    global passed, failed
    if is_right:
        passed += 1
        print(f"ok    {name}")
    else:
        failed += 1
        print(f"FAIL  {name}  {detail}")


def blocks(document, language="sh"):
    with open(os.path.join(ROOT, document), encoding="utf-8") as file:
        return re.findall(rf"^```{language}\n(.*?)^```", file.read(), re.M | re.S)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Guide:
    """One reader at a terminal: a folder, and an instance that runs in the background."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ogawa-docs-")
        self.http, self.mqtt = free_port(), free_port()
        self.instance = None
        program = os.path.join(self.folder, "bin")
        os.makedirs(program)
        os.symlink(OGAWA, os.path.join(program, "ogawa"))
        self.environment = dict(os.environ, PATH=program + ":" + os.environ["PATH"], OGAWA_URL=self.url(""))

    def url(self, path):
        return f"http://127.0.0.1:{self.http}{path}"

    def local(self, text):
        """The text with the ports of this run."""
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.http}")
        return re.sub(r"mosquitto_pub( -p 1883)?", f"mosquitto_pub -p {self.mqtt}", text)

    def shell(self, text):
        return subprocess.run(
            ["bash", "-e", "-c", self.local(text)], cwd=self.folder, env=self.environment, capture_output=True, text=True,
            timeout=60)

    def serve(self, command):
        """Starts `ogawa dev …` or `ogawa run …` with the ports of this run."""
        words = command.split() + ["--port", str(self.http), "--mqtt-port", str(self.mqtt)]
        self.instance = subprocess.Popen(
            words, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                with urllib.request.urlopen(self.url("/readyz"), timeout=1) as answer:
                    return answer.status == 200
            except OSError:
                time.sleep(0.05)
        return False

    def get(self, path):
        with urllib.request.urlopen(self.url(path), timeout=5) as answer:
            return json.loads(answer.read())

    def close(self):
        if self.instance:
            self.instance.send_signal(signal.SIGTERM)
            check("the instance ends with exit code 0", self.instance.wait(10) == 0)
        shutil.rmtree(self.folder, ignore_errors=True)


def follow_readme(guide):
    for block in blocks("README.md"):
        name = "README: " + block.strip().splitlines()[0][:60]
        if block.startswith("make "):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            if "mosquitto_pub" in line and not shutil.which("mosquitto_pub"):
                print(f"skip  {line[:60]} (no mosquitto_pub)")
            elif re.match(r"ogawa (dev|run)\b", line):
                check("README: " + line, guide.serve(line))
            else:
                result = guide.shell(line)
                check("README: " + line[:70], result.returncode == 0, result.stderr)
    time.sleep(0.3)
    rows = guide.get("/tables/temperature?key=desk-1")["rows"]
    wanted = 2 if shutil.which("mosquitto_pub") else 1
    check("README: the readings stand in the table", len(rows) == wanted, rows)
    check("README: 0.731 V are 23.1 degrees", any(abs(row["celsius"] - 23.1) < 1e-9 for row in rows), rows)


def follow_readme_function(guide):
    """The SQL of the README is the function of the template."""
    shown = blocks("README.md", "sql")[0]
    with open(os.path.join(guide.folder, "plant/functions/temperature.sql"), encoding="utf-8") as file:
        written = "\n".join(line for line in file.read().splitlines() if not line.startswith("--"))
    check("README: its SQL is the template's", shown.split() == written.split(), written)


def follow_documents(guide):
    for document in sorted(os.listdir(os.path.join(ROOT, "docs"))):
        if not document.endswith(".md"):
            continue
        for block in blocks("docs/" + document):
            if "mosquitto_pub" in block and not shutil.which("mosquitto_pub"):
                continue
            result = guide.shell(block)
            check(f"{document}: {block.strip().splitlines()[0][:60]}", result.returncode == 0, result.stderr)


def follow_help():
    """Every command explains itself and shows an example; every example names options that exist."""
    with open(os.path.join(ROOT, "docs/command-line.md"), encoding="utf-8") as file:
        table = file.read().split("| command |", 1)[1].split("\n\n", 1)[0]
        commands = re.findall(r"^\| \[?`(\w+)`", table, re.M)
    check("command-line.md names the commands", len(commands) >= 12, commands)
    for command in commands:
        result = subprocess.run([OGAWA, command, "--help"], capture_output=True, text=True)
        check(f"ogawa {command} --help shows an example", result.returncode == 0 and f"ogawa {command}" in result.stdout)


def main():
    guide = Guide()
    try:
        follow_readme(guide)
        follow_readme_function(guide)
        follow_documents(guide)
        follow_help()
    finally:
        guide.close()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
