#!/usr/bin/env python3
"""Runs the real binary as a user would and checks what the command line promises.

    OGAWA_BIN=.build/release/ogawa python3 Tests/e2e/cli_test.py [-v] [CliTest.test_name]

Without OGAWA_BIN the program is what OGAWA names. Ends with the line `N passed, N failed`. Needs nothing but Python's standard library and 127.0.0.1.
"""

import gzip
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

BIN = os.path.abspath(os.environ.get("OGAWA_BIN") or os.environ.get("OGAWA") or ".build/release/ogawa")
COMMANDS = ["demo", "init", "dev", "run", "check", "query", "test", "send", "tail", "rows", "status", "bench"]
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("OGAWA_") and k not in ("NO_COLOR", "COLUMNS")}


def ogawa(*arguments, stdin="", code=0, env=None, cwd=None, timeout=60):
    """Runs a command to its end and checks its exit code."""
    result = subprocess.run(
        [BIN, *arguments], input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd,
        env={**ENVIRONMENT, **(env or {})})
    assert result.returncode == code, (
        f"ogawa {' '.join(arguments)}: exit {result.returncode}, expected {code}\n"
        f"stdout: {result.stdout}\nstderr: {result.stderr}")
    return result


def on_terminal(*arguments, env=None, columns=80, timeout=30):
    """Runs a command on a pseudo-terminal and gives what it shows."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.environ.clear()
        os.environ.update({**ENVIRONMENT, "TERM": "xterm", **(env or {})})
        import fcntl, struct, termios
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execv(BIN, [BIN, *arguments])
    shown = b""
    deadline = time.time() + timeout
    while time.time() < deadline:
        ready, _, _ = select.select([descriptor], [], [], 0.2)
        if not ready:
            continue
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    return shown.decode("utf-8", "replace"), os.waitstatus_to_exitcode(status)


def wait_until(condition, seconds=10, what="the condition"):
    """Polls until the condition gives something true; returns that and the time it took."""
    start = time.time()
    while time.time() - start < seconds:
        found = condition()
        if found:
            return found, time.time() - start
        time.sleep(0.02)
    raise AssertionError(f"{what} did not hold within {seconds} s")


def now_text(offset=0.0):
    moment = datetime.now(timezone.utc) + timedelta(seconds=offset)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Running:
    """`ogawa run` or `ogawa dev` in the background."""

    def __init__(self, *arguments, command="run"):
        self.log = []
        self.process = subprocess.Popen(
            [BIN, command, *arguments, "--port", "0", "--mqtt-port", "0", "--json"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        threading.Thread(target=self._drain, daemon=True).start()
        line = self.process.stdout.readline()
        assert line, "no ready line: " + "".join(self.log)
        self.ready = json.loads(line)
        self.url = self.ready["http"]

    def _drain(self):
        for line in self.process.stderr:
            self.log.append(line)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return json.loads(response.read())

    def rows(self, *arguments):
        return [json.loads(line) for line in ogawa("rows", *arguments, "--url", self.url).stdout.splitlines()]

    def stop(self, sent=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sent)
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class CliTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ogawa-cli-")
        self.running = []

    def tearDown(self):
        for running in self.running:
            if running.process.poll() is None:
                running.process.kill()
            running.process.wait()
        shutil.rmtree(self.folder)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def project(self):
        ogawa("init", self.path("plant"), "--template", "temperature")
        return self.path("plant")

    def start(self, *arguments, command="run"):
        running = Running(*arguments, command=command)
        self.running.append(running)
        return running

    # Help and usage

    def test_every_command_has_help_with_an_example(self):
        listed = ogawa("--help").stdout
        for command in COMMANDS:
            self.assertIn(f"  {command} ", listed)
            text = ogawa(command, "--help").stdout
            self.assertIn("OVERVIEW", text)
            self.assertIn(f"ogawa {command}", text.split("USAGE")[0], f"{command} has no example")

    def test_wrong_usage_exits_with_2_and_says_why_on_standard_error(self):
        for arguments in (
            ["nonsense"], ["run", "--prot", "1"], ["run", "--port", "many"], ["run", "--port", "70000"], ["query"],
            ["query", "SELECT 1 FROM i"], ["query", "SELECT 1 FROM i", "--input", "i"], ["rows"], ["rows", "t", "--last", "0"],
            ["test"], ["init"], ["init", "x", "--template", "castle"], ["send", "s", "--rate", "0"], ["demo", "--for", "soon"],
            ["rows", "t", "--url", "ftp://x"],
        ):
            result = ogawa(*arguments, code=2)
            self.assertEqual(result.stdout, "", arguments)
            self.assertTrue(result.stderr.strip(), arguments)

    def test_completion_scripts(self):
        for shell in ("bash", "zsh", "fish"):
            text = ogawa("--generate-completion-script", shell).stdout
            self.assertIn("ogawa", text)
            self.assertGreater(len(text), 2000)

    def test_version(self):
        self.assertRegex(ogawa("--version").stdout, r"^\d+\.\d+\.\d+\n$")

    # init, check, test

    def test_init_writes_a_project_that_checks_and_passes_its_own_tests(self):
        folder = self.project()
        for name in ("ogawa.yaml", "functions/temperature.sql", "README.md", ".gitignore", "tests"):
            self.assertTrue(os.path.exists(os.path.join(folder, name)), name)
        with open(os.path.join(folder, "README.md")) as file:
            readme = file.read()
        self.assertIn("curl", readme)
        self.assertIn("mosquitto_pub", readme)
        self.assertIn("ok: 1 function, no errors", ogawa("check", folder).stdout)
        lines = ogawa("test", os.path.join(folder, "tests")).stdout.splitlines()
        self.assertEqual(lines[-1], "2 passed, 0 failed")
        again = ogawa("init", folder, code=1)
        self.assertIn("exists", again.stderr)
        written = json.loads(ogawa("init", self.path("other"), "--json").stdout)
        self.assertEqual(len(written["files"]), 6)

    def test_check_tells_every_error_with_place_and_caret(self):
        folder = self.project()
        self.write("plant/functions/broken.sql", "SELECT deviceId\nINTO temperatur\nFROM telemtry\n")
        self.write("plant/functions/syntax.sql", "SELECT FROM WHERE\n")
        result = ogawa("check", folder, code=1)
        self.assertEqual(result.stdout, "")
        self.assertIn("functions/broken.sql:3:6: error:", result.stderr)
        self.assertIn("FROM telemtry", result.stderr)
        self.assertIn("^^^^^^^^", result.stderr)
        self.assertIn("telemetry", result.stderr)
        self.assertIn("functions/broken.sql:2:6: error:", result.stderr)
        self.assertIn("functions/syntax.sql:1:", result.stderr)
        findings = [json.loads(line) for line in ogawa("check", folder, "--json", code=1).stdout.splitlines()]
        place = [f for f in findings if f["file"].endswith("broken.sql") and f["line"] == 3]
        self.assertEqual(place[0]["column"], 6)
        self.assertEqual(place[0]["severity"], "error")
        self.write("plant/ogawa.yaml", "streams:\n  telemetry: { partitons: 4 }\n")
        text = ogawa("check", folder, code=1).stderr
        self.assertIn("ogawa.yaml:2:16: error: stream 'telemetry' has no setting 'partitons'", text)
        self.assertIn("did you mean 'partitions'?", text)

    def test_a_missing_project_says_how_to_make_one(self):
        for command in ("check", "run", "dev"):
            text = ogawa(command, self.path("nowhere"), code=1).stderr
            self.assertIn("ogawa init", text)

    def test_failing_cases_show_a_diff_and_exit_with_1(self):
        good = self.write("good.yaml", CASE.replace("EXPECTED", "2"))
        bad = self.write("bad.yaml", CASE.replace("EXPECTED", "3"))
        error = self.write("error.json", json.dumps({
            "name": "no from", "query": "SELECT 1 AS One INTO Output", "inputs": {"i": [{"a": 1}]}, "expect": {"error": True}}))
        result = ogawa("test", good, bad, error, code=1)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[-1], "2 passed, 1 failed")
        self.assertTrue(any(line.startswith("FAIL") for line in lines))
        self.assertIn("expected 3, found 2", result.stdout)
        objects = [json.loads(line) for line in ogawa("test", good, bad, "--json", code=1).stdout.splitlines()]
        self.assertEqual(objects[-1], {"passed": 1, "failed": 1})
        self.assertEqual([o["passed"] for o in objects[:-1]], [True, False])
        self.write("wrong.yaml", "query: SELECT 1\ninputs: { i: 5 }\nexpct: {}\n")
        self.assertIn("wrong.yaml:3:1: error: a case has no field 'expct'", ogawa("test", self.path("wrong.yaml"), code=1).stdout)

    # query

    def readings(self):
        """A CSV of readings every 10 minutes, and its hourly means by a few lines of Python."""
        rows, means = [], {}
        start = datetime(2026, 3, 1, tzinfo=timezone.utc)
        for index in range(1000):
            moment = start + timedelta(minutes=10 * index + 5)
            value = 20 + (index * 7919 % 100) / 10
            rows.append(f"{moment:%Y-%m-%d %H:%M:%S},{value}")
            hour = moment.replace(minute=0) + timedelta(hours=1)
            means.setdefault(f"{hour:%Y-%m-%dT%H:%M:%S}", []).append(value)
        return "timestamp,value\n" + "\n".join(rows) + "\n", {k: sum(v) / len(v) for k, v in means.items()}

    HOURLY = ("SELECT System.Timestamp() AS hour, AVG(value) AS mean INTO hourly FROM m TIMESTAMP BY timestamp "
              "GROUP BY TumblingWindow(hour, 1)")

    def assert_hourly(self, text, means):
        found = {row["hour"][:19]: row["mean"] for row in map(json.loads, text.splitlines())}
        self.assertEqual(found.keys(), means.keys())
        for hour, mean in means.items():
            self.assertAlmostEqual(found[hour], mean, delta=1e-9 * abs(mean))

    def test_query_over_csv_gives_what_a_script_gives(self):
        text, means = self.readings()
        csv = self.write("m.csv", text)
        self.assert_hourly(ogawa("query", self.HOURLY, "--input", f"m={csv}").stdout, means)
        with gzip.open(self.path("m.csv.gz"), "wt") as file:
            file.write(text)
        self.assert_hourly(ogawa("query", self.HOURLY, "--input", "m=" + self.path("m.csv.gz")).stdout, means)
        out = self.path("out.ndjson")
        self.assertEqual(ogawa("query", self.HOURLY, "--input", f"m={csv}", "--output", out).stdout, "")
        with open(out) as file:
            self.assert_hourly(file.read(), means)
        ogawa("query", self.HOURLY, "--input", f"m={csv}", "--output", self.path("out.csv"))
        with open(self.path("out.csv")) as file:
            self.assertEqual(file.readline(), "hour,mean\n")

    def test_query_reads_ndjson_and_json_and_names_outputs_only_when_there_are_several(self):
        events = [{"deviceId": f"d{i % 2}", "v": i} for i in range(6)]
        lines = self.write("e.ndjson", "".join(json.dumps(e) + "\n" for e in events))
        array = self.write("e.json", json.dumps(events))
        for file in (lines, array):
            rows = [json.loads(line) for line in ogawa("query", "SELECT v FROM e WHERE v > 3", "-i", f"e={file}").stdout.splitlines()]
            self.assertEqual(rows, [{"v": 4}, {"v": 5}])
        both = "SELECT v INTO low FROM e WHERE v < 1 SELECT v INTO high FROM e WHERE v > 4"
        rows = [json.loads(line) for line in ogawa("query", both, "-i", f"e={lines}").stdout.splitlines()]
        self.assertCountEqual(rows, [{"_output": "low", "v": 0}, {"_output": "high", "v": 5}])
        self.assertEqual(list(rows[0])[0], "_output")

    def test_query_errors(self):
        lines = self.write("e.ndjson", '{"v":1}\n{"v":\n')
        self.assertIn("^", ogawa("query", "SELECT v FRO e", "--input", f"e={lines}", code=1).stderr)
        text = ogawa("query", "SELECT v FROM x", "--input", f"e={lines}", code=1).stderr
        self.assertIn("<query>:1:15: error:", text)
        self.assertIn("missing.csv", ogawa("query", "SELECT v FROM e", "--input", "e=missing.csv", code=1).stderr)

    def test_query_draws_a_table_on_a_terminal(self):
        lines = self.write("e.ndjson", "".join(json.dumps({"name": "x" * 200, "v": i}) + "\n" for i in range(3)))
        text, code = on_terminal("query", "SELECT name, v FROM e", "--input", f"e={lines}", columns=60)
        self.assertEqual(code, 0)
        self.assertIn("┌", text)
        self.assertIn("…", text)
        for line in text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines():
            self.assertLessEqual(len(line), 60)
        plain, _ = on_terminal("query", "SELECT name, v FROM e", "--input", f"e={lines}", env={"NO_COLOR": "1"})
        self.assertNotIn("\x1b[", plain)
        piped = ogawa("query", "SELECT v FROM e", "--input", f"e={lines}").stdout
        self.assertEqual(piped, '{"v":0}\n{"v":1}\n{"v":2}\n')

    # A running instance

    def test_run_send_rows_tail_status(self):
        folder = self.project()
        running = self.start(folder)
        self.assertEqual(running.ready["ready"], True)
        self.assertRegex(running.ready["http"], r"^http://127\.0\.0\.1:\d+$")
        self.assertRegex(running.ready["mqtt"], r"^mqtt://127\.0\.0\.1:\d+$")
        self.assertEqual(list(running.ready), ["ready", "http", "mqtt"])
        for path in ("/livez", "/readyz"):
            self.assertEqual(running.get(path)["status"], "ok")

        tail = subprocess.Popen(
            [BIN, "tail", "temperature", "--last", "3", "--url", running.url], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
        wait_until(lambda: running.get("/status")["connections"]["live"] == 1, what="the reader")
        times = [now_text(-0.3 + 0.1 * i) for i in range(3)]
        events = "".join(
            json.dumps({"deviceId": "hall", "timestamp": t, "voltage": v}) + "\n" for t, v in zip(times, (0.70, 0.72, 0.74)))
        self.assertIn("sent 3 events", ogawa("send", "telemetry", "--url", running.url, stdin=events).stdout)
        rows, _ = wait_until(
            lambda: (r := running.rows("temperature", "--key", "hall")) and len(r) == 3 and r, what="three rows")
        self.assertEqual([round(row["celsius"], 6) for row in rows], [20, 22, 24])
        self.assertEqual([round(row["smoothed"], 6) for row in rows], [20, 21, 22])
        self.assertEqual([row["time"][:23] for row in rows], [t[:23] for t in times])
        tailed = [json.loads(line) for line in tail.communicate(timeout=10)[0].splitlines()]
        self.assertEqual(tail.returncode, 0)
        self.assertEqual([row["deviceId"] for row in tailed], ["hall"] * 3)
        self.assertEqual(len(running.rows("temperature", "--last", "2")), 2)

        csv = self.write("readings.csv", f"timestamp,voltage\n{now_text()},0.5\n")
        sent = json.loads(ogawa("send", "telemetry", "--file", csv, "--device", "yard", "--json", "--url", running.url).stdout)
        self.assertEqual(sent["sent"], 1)
        status = json.loads(ogawa("status", "--json", "--url", running.url).stdout)
        self.assertEqual(status["streams"][0]["events"], 4)
        self.assertEqual(status["functions"][0]["name"], "temperature")
        self.assertIn("temperature", ogawa("status", "--url", running.url).stdout)
        self.assertIn("temperature", ogawa("status", env={"OGAWA_URL": running.url}).stdout)
        text, code = on_terminal("rows", "temperature", "--key", "hall", "--url", running.url, columns=100)
        self.assertEqual(code, 0)
        self.assertIn("│ hall", text)

        self.assert_refusals(running)
        text = ogawa("query", "SELECT voltage FROM telemetry", "--project", folder, "--input", "telemetry", code=1).stderr
        self.assertIn("stop that instance", text)
        self.assertEqual(running.stop(), 0)
        log = ogawa("query", "SELECT voltage FROM telemetry", "--project", folder, "--input", "telemetry").stdout
        self.assertCountEqual([json.loads(line)["voltage"] for line in log.splitlines()], [0.70, 0.72, 0.74, 0.5])

    def assert_refusals(self, running):
        text = ogawa("send", "telemtry", "--url", running.url, stdin='{"a":1}\n', code=1).stderr
        self.assertIn("telemetry", text)
        text = ogawa("send", "telemetry", "--url", running.url, stdin='{"deviceId":"a"}\n\n{"deviceId":\n', code=1).stderr
        self.assertIn("standard input, line 3", text)
        text = ogawa("rows", "temperatur", "--url", running.url, code=1).stderr
        self.assertIn("temperature", text)
        text = ogawa("tail", "temperatur", "--url", running.url, code=1).stderr
        self.assertIn("temperature", text)

    def test_send_keeps_its_rate(self):
        running = self.start(self.project())
        events = "".join(json.dumps({"deviceId": "hall", "timestamp": now_text(), "voltage": 0.7}) + "\n" for _ in range(40))
        start = time.time()
        ogawa("send", "telemetry", "--rate", "40", "--url", running.url, stdin=events)
        self.assertTrue(0.7 < time.time() - start < 3, time.time() - start)
        self.assertEqual(running.stop(signal.SIGINT), 0)

    def test_no_instance_is_told_plainly(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        for arguments in (["rows", "t"], ["tail", "t"], ["status"], ["send", "s"]):
            text = ogawa(*arguments, "--url", f"http://127.0.0.1:{port}", stdin='{"a":1}\n', code=1).stderr
            self.assertIn(f"no Ogawa is running at http://127.0.0.1:{port}: connection refused", text)
            self.assertIn("ogawa run", text)

    def test_a_port_in_use_is_named_with_its_option(self):
        folder = self.project()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            for arguments, option in (
                (["run", folder, "--port", port, "--mqtt-port", "0"], "--port"),
                (["run", folder, "--port", "0", "--mqtt-port", port], "--mqtt-port"),
                (["demo", "--port", port, "--mqtt-port", "0"], "--port"),
            ):
                text = ogawa(*arguments, code=1).stderr
                self.assertIn(f"port {port}", text)
                self.assertIn(option, text)

    def test_a_wide_bind_is_refused_unless_insecure(self):
        folder = self.project()
        with open(os.path.join(folder, "ogawa.yaml"), "a") as file:
            file.write("listen: { http: 0.0.0.0:0 }\n")
        text = ogawa("run", folder, "--mqtt-port", "0", code=1).stderr
        self.assertIn("0.0.0.0", text)
        self.assertIn("--insecure", text)
        running = self.start(folder, "--insecure")
        self.assertTrue(running.ready["ready"])
        self.assertEqual(running.stop(), 0)

    def test_run_refuses_a_project_with_errors(self):
        folder = self.project()
        self.write("plant/functions/broken.sql", "SELECT x FROM nothing\n")
        self.assertIn("functions/broken.sql:1:15: error:", ogawa("run", folder, "--port", "0", "--mqtt-port", "0", code=1).stderr)

    def test_dev_takes_over_what_is_saved_and_survives_mistakes(self):
        folder = self.project()
        running = self.start(folder, command="dev")

        def send(voltage):
            event = json.dumps({"deviceId": "hall", "timestamp": now_text(), "voltage": voltage})
            ogawa("send", "telemetry", "--url", running.url, stdin=event + "\n")

        def newest(name):
            return lambda: running.get("/tables/temperature/newest?limit=1")["rows"] and \
                running.get("/tables/temperature/newest?limit=1")["rows"][0].get(name)

        send(0.7)
        wait_until(newest("celsius"), what="the first row")
        function = os.path.join(folder, "functions", "temperature.sql")
        with open(function) as file:
            text = file.read()
        with open(function, "w") as file:
            file.write(text.replace("SELECT deviceId,", "SELECT deviceId, voltage * 1000 AS millivolts,"))
        _, taken = wait_until(lambda: any("reloaded" in line for line in running.log), 5, "the reload")
        self.assertLess(taken, 1.0)
        send(0.8)
        wait_until(lambda: newest("millivolts")() == 800, what="a row of the new function")

        self.write("plant/functions/broken.sql", "SELECT x INTO temperature FROM nothing\n")
        wait_until(lambda: any("functions/broken.sql:1:" in line for line in running.log), 5, "the diagnostics")
        send(0.9)
        wait_until(lambda: newest("millivolts")() == 900, what="the other function going on")
        self.write("plant/ogawa.yaml", "streams: { telemetry: { partitons: 4 } }\n")
        wait_until(lambda: any("partitons" in line for line in running.log), 5, "the diagnostics of ogawa.yaml")
        send(1.0)
        wait_until(lambda: newest("millivolts")() == 1000, what="the project running on")
        self.assertEqual(running.stop(), 0)

    # demo

    def test_demo_prints_one_object(self):
        start = time.time()
        result = ogawa("demo", "--for", "6s", "--json", "--port", "0", "--mqtt-port", "0")
        self.assertLess(time.time() - start, 15)
        self.assertEqual(len(result.stdout.splitlines()), 1)
        summary = json.loads(result.stdout)
        self.assertEqual(list(summary), ["events", "rows", "rejected", "p50_ms", "p99_ms"])
        self.assertGreaterEqual(summary["events"], 60)
        self.assertGreater(summary["rows"], summary["events"] * 0.7)
        self.assertGreater(summary["rejected"], 0)
        self.assertGreater(summary["p50_ms"], 0)
        self.assertLess(summary["p50_ms"], summary["p99_ms"] + 1e-9)
        self.assertIn("http://127.0.0.1:", result.stderr)

    def test_demo_takes_a_free_port_and_keeps_its_folder(self):
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", 8080))
                taken.listen()
            except OSError:
                pass  # Another program has it, which serves as well.
            result = ogawa("demo", "--for", "2s", "--data", self.path("kept"))
        self.assertIn("port 8080", result.stderr)
        self.assertRegex(result.stdout, r"events accepted, .* rows stored")
        self.assertTrue(os.path.exists(self.path("kept", "ogawa.yaml")))
        self.assertTrue(os.path.isdir(self.path("kept", "data")))


CASE = """\
name: doubling
query: SELECT v * 2 AS d INTO out FROM i
inputs: { i: [ { v: 1 } ] }
expect: { out: [ { d: EXPECTED } ] }
"""


if __name__ == "__main__":
    if not os.access(BIN, os.X_OK):
        sys.exit(f"{BIN} is no program; build it, or name it by OGAWA_BIN")
    program = unittest.main(exit=False)
    failed = len(program.result.failures) + len(program.result.errors)
    print(f"{program.result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
