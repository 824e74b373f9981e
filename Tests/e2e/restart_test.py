#!/usr/bin/env python3
"""Stops and kills a project with several functions again and again: every result is there exactly once.

Four functions run: a row per event into a table, windows over all partitions into a table, a filter into a stream of the log, and a
function that reads that stream. After the last start each output must hold what `ogawa query` computes over the log, and the stream
must hold each of its events once. A saved function is live within a second, and a broken one stops nobody.

    OGAWA=.build/release/ogawa Tests/e2e/restart_test.py [--rounds 8] [--seed N]
"""

import argparse
import collections
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

OGAWA = os.path.abspath(os.environ.get("OGAWA", ".build/release/ogawa"))
SETTINGS = """\
streams:
  telemetry: { partitions: 4, time: timestamp, late: 1s, outOfOrder: 0s }
  hot: { partitions: 3, time: time }
outputs:
  readings: { table: { key: deviceId, range: seq } }
  sites: { table: { key: site, range: time } }
  counts: { table: { key: deviceId, range: n } }
checkpoints: { every: 30ms }
"""
FUNCTIONS = {
    "readings": "SELECT deviceId, seq, voltage, AVG(voltage) OVER (PARTITION BY deviceId ROWS BETWEEN 4 PRECEDING AND CURRENT "
    "ROW) AS mean\nINTO readings FROM telemetry TIMESTAMP BY timestamp",
    "sites": "SELECT site, System.Timestamp() AS time, COUNT(*) AS n, SUM(seq) AS total\nINTO sites FROM telemetry "
    "TIMESTAMP BY timestamp GROUP BY site, TumblingWindow(millisecond, 200)",
    "hot": "SELECT deviceId, seq, System.Timestamp() AS time\nINTO hot FROM telemetry TIMESTAMP BY timestamp WHERE voltage > 0.7",
    "counts": "SELECT deviceId, COUNT(*) OVER (PARTITION BY deviceId ROWS BETWEEN 99999 PRECEDING AND CURRENT ROW) AS n, seq\n"
    "INTO counts FROM hot",
}


class Plant:
    def __init__(self, folder):
        self.folder = folder
        self.process, self.port = None, 0
        os.makedirs(os.path.join(folder, "functions"))
        with open(os.path.join(folder, "ogawa.yaml"), "w", encoding="utf-8") as file:
            file.write(SETTINGS)
        for name, sql in FUNCTIONS.items():
            self.save(name, sql)

    def path(self, name):
        return os.path.join(self.folder, "functions", name + ".sql")

    def save(self, name, sql):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(sql + "\n")

    def start(self, command="run"):
        self.process = subprocess.Popen(
            [OGAWA, command, self.folder, "--port", "0", "--mqtt-port", "0", "--json"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.port = int(json.loads(self.process.stdout.readline())["http"].rsplit(":", 1)[1])

    def end(self, how):
        self.process.send_signal(how)
        code = self.process.wait(10)
        self.process.stdout.close()
        assert how == signal.SIGKILL or code == 0, f"exit code {code}"

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, {"Content-Type": "application/x-ndjson"} if body else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text)

    def settle(self):
        """Waits until nothing lags and the windows of the last events have closed."""
        for _ in range(200):
            functions = self.request("GET", "/status")[1]["functions"]
            assert all(f["state"] == "running" for f in functions), functions
            if all(f["lagEvents"] == 0 for f in functions):
                break
            time.sleep(0.1)
        time.sleep(3.5)

    def rows(self, table):
        status, answer = self.request("GET", f"/tables/{table}/newest?limit=10000")
        assert status == 200, answer
        return answer["rows"]

    def query(self, name, stream):
        result = subprocess.run(
            [OGAWA, "query", "--file", self.path(name), "--project", self.folder, "--input", stream],
            capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]


def send(plant, chance, sequence, count):
    for _ in range(count):
        lines = []
        for _ in range(chance.randint(1, 8)):
            device = f"dev-{chance.randrange(12)}"
            sequence[device] += 1
            now = time.time()
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f"{now % 1:.6f}"[1:] + "Z"
            lines.append(
                json.dumps({"deviceId": device, "site": f"site-{chance.randrange(3)}", "seq": sequence[device],
                            "timestamp": stamp, "voltage": round(chance.uniform(0.5, 0.9), 4)}))
        try:
            status, answer = plant.request("POST", "/streams/telemetry/events", "\n".join(lines))
        except (OSError, http.client.HTTPException):
            return
        assert status == 202, answer
        time.sleep(chance.choice([0, 0, 0.005]))


def same(name, found, expected, key):
    place = lambda row: json.dumps([row[part] for part in key])
    found = {place(row): row for row in found}
    wanted = {place(row): row for row in expected}
    assert len(wanted) == len(expected), f"{name}: the query gives a row twice"
    for spot, row in wanted.items():
        assert found.get(spot) == row, f"{name}: stored {found.get(spot)}, expected {row}"
    assert len(found) == len(wanted), f"{name}: {len(found)} rows stored, {len(wanted)} expected"
    return len(found)


def run(plant, rounds, chance):
    sequence = collections.Counter()
    for _ in range(rounds):
        plant.start()
        send(plant, chance, sequence, chance.randint(5, 60))
        plant.end(chance.choice([signal.SIGKILL, signal.SIGTERM]))
    plant.start()
    plant.settle()
    tables = {name: plant.rows(name) for name in ("readings", "sites", "counts")}
    plant.end(signal.SIGTERM)
    count = same("readings", tables["readings"], plant.query("readings", "telemetry"), ["deviceId", "seq"])
    count += same("sites", tables["sites"], plant.query("sites", "telemetry"), ["site", "time"])
    count += same("counts", tables["counts"], plant.query("counts", "hot"), ["deviceId", "n"])
    result = subprocess.run(
        [OGAWA, "query", "SELECT deviceId, seq, time FROM hot", "--project", plant.folder, "--input", "hot"],
        capture_output=True, text=True, check=True)
    stored = sorted(result.stdout.splitlines())
    expected = sorted(json.dumps(row, separators=(",", ":")) for row in plant.query("hot", "telemetry"))
    assert stored == expected, f"hot: {len(stored)} events stored, {len(expected)} expected"
    print(f"{rounds} restarts: {count} rows and {len(stored)} events, each exactly once")


def reload(plant):
    plant.start("dev")
    text = FUNCTIONS["readings"].replace("voltage,", "voltage * 1000 AS millivolts,")
    plant.save("hot", "SELECT nope( FROM telemetry")
    time.sleep(0.5)
    plant.save("readings", text)
    saved = time.time()
    for _ in range(100):
        send(plant, random.Random(1), collections.Counter({f"dev-{n}": 100000 for n in range(12)}), 1)
        if any("millivolts" in row and row["millivolts"] for row in plant.rows("readings")):
            break
    elapsed = time.time() - saved
    functions = {f["name"]: f for f in plant.request("GET", "/status")[1]["functions"]}
    assert elapsed < 5, f"the saved function was live after {elapsed:.1f} s"
    assert "functions/hot.sql" in (functions["hot"]["lastError"] or ""), functions["hot"]
    assert functions["sites"]["state"] == "running", functions["sites"]
    plant.end(signal.SIGTERM)
    print(f"a saved function was live after {elapsed:.2f} s; a broken one stopped nobody")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    work = tempfile.mkdtemp(prefix="ogawa-restart-")
    plant = Plant(os.path.join(work, "plant"))
    failed = 0
    for part in (lambda: run(plant, options.rounds, random.Random(options.seed)), lambda: reload(plant)):
        try:
            part()
        except AssertionError as failure:
            failed += 1
            print(f"FAILED (seed {options.seed}): {failure}")
            if plant.process and plant.process.poll() is None:
                plant.process.kill()
    shutil.rmtree(work, ignore_errors=True)
    print(f"{2 - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
