#!/usr/bin/env python3
"""Joins events with reference data that change while a project runs, is killed, and runs again.

One function joins a stream with a CSV file, a JSON file, an SQLite file and a table of the project. Changed sources are read within seconds
and restart nobody; a damaged file leaves the rows as they were and is listed; after a kill all rows are the same; `ogawa query` over the
log, and the project itself without its tables and checkpoints, give the same rows as the live run.

    OGAWA=.build/release/ogawa Tests/e2e/reference_test.py
"""

import glob
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

OGAWA = os.path.abspath(os.environ.get("OGAWA", ".build/release/ogawa"))
SETTINGS = """\
streams:
  telemetry: { partitions: 4, time: timestamp, early: 1m, late: 1m, outOfOrder: 0s }
  corrections: { partitions: 1 }
outputs:
  joined: { table: { key: deviceId, range: seq } }
  factors: { table: { key: deviceId } }
references:
  limits: { file: limits.csv, key: deviceId, every: 1s }
  sites: { file: sites.json, key: site, every: 1s }
  owners: { file: plant.db, every: 1s }
  calibration: { table: factors, every: 1s }
checkpoints: { every: 100ms }
"""
FUNCTIONS = {
    "factors": "SELECT deviceId, factor INTO factors FROM corrections",
    "joined": """\
SELECT t.deviceId, t.seq, l.maximum, s.city, o.owner, c.factor
INTO joined
FROM telemetry t TIMESTAMP BY timestamp
JOIN limits l ON t.deviceId = l.deviceId
LEFT JOIN sites s ON t.site = s.site
LEFT JOIN owners o ON t.site = o.site
LEFT JOIN calibration c ON t.deviceId = c.deviceId""",
}
DEVICES = ["dev-0", "dev-1", "dev-2", "dev-3", "dev-4"]


class Plant:
    def __init__(self, folder):
        self.folder, self.process, self.port, self.seq = folder, None, 0, 0
        os.makedirs(self.path("functions"))
        self.replace("ogawa.yaml", SETTINGS)
        for name, sql in FUNCTIONS.items():
            self.replace(f"functions/{name}.sql", sql + "\n")
        self.limits(10)
        self.replace("sites.json", json.dumps([{"site": "a", "city": "Arica"}, {"site": "b", "city": "Bergen"}]))
        self.owner("Ada", "CREATE TABLE owners (site TEXT, owner TEXT)", "INSERT INTO owners VALUES ('a', NULL)")

    def path(self, name):
        return os.path.join(self.folder, name)

    def replace(self, name, text):
        """Another file takes the name at once, as editors and exports should do it."""
        with open(self.path(name) + ".part", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(self.path(name) + ".part", self.path(name))

    def limits(self, maximum):
        self.replace("limits.csv", "deviceId,maximum\n" + "".join(f"{device},{maximum}\n" for device in DEVICES))

    def owner(self, name, *before):
        with sqlite3.connect(self.path("plant.db")) as database:
            for statement in before:
                database.execute(statement)
            database.execute("UPDATE owners SET owner = ?", [name])
        database.close()

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

    def function(self, name):
        return next(f for f in self.request("GET", "/status")[1]["functions"] if f["name"] == name)

    def rows(self, table="joined"):
        status, answer = self.request("GET", f"/tables/{table}/newest?limit=10000")
        assert status == 200, answer
        return {(row["deviceId"], row.get("seq")): shown(row) for row in answer["rows"]}

    def send(self, ahead=0.0):
        """One event of each device; gives its rows when they are there."""
        now = time.time() + ahead
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f"{now % 1:.6f}"[1:] + "Z"
        self.seq += 1
        events = [{"deviceId": device, "site": "ab"[number % 2], "seq": self.seq, "timestamp": stamp}
                  for number, device in enumerate(DEVICES)]
        status, answer = self.request("POST", "/streams/telemetry/events", "\n".join(map(json.dumps, events)))
        assert status == 202, answer
        for _ in range(100):
            rows = self.rows()
            if all((device, self.seq) in rows for device in DEVICES):
                return [rows[(device, self.seq)] for device in DEVICES]
            time.sleep(0.02)
        raise AssertionError(f"no row of event {self.seq} came")

    def send_until(self, what, column, value, seconds=6.0):
        """Sends until rows have a value; from then on they keep it."""
        begun = time.time()
        while time.time() - begun < seconds:
            if self.send()[0].get(column) == value:
                assert self.send()[0].get(column) == value, f"{what}: the old version came back"
                print(f"{what}: {time.time() - begun:.1f} s")
                return
            time.sleep(0.1)
        raise AssertionError(f"{what}: {column} is not {value} after {seconds} s: {self.send()[0]}")

    def rejections(self):
        return [entry["reason"] for entry in self.request("GET", "/rejections")[1]["rejections"]]


def shown(row):
    return {name: value for name, value in row.items() if value is not None}


def same(what, found, expected):
    for spot in sorted(set(found) | set(expected), key=str):
        assert found.get(spot) == expected.get(spot), f"{what}: {found.get(spot)}, expected {expected.get(spot)}"
    assert len(expected) > 20, f"{what}: only {len(expected)} rows"


def changes(plant):
    plant.start()
    row = plant.send()[0]
    assert row == {"deviceId": "dev-0", "seq": 1, "maximum": 10, "city": "Arica", "owner": "Ada"}, row
    second = plant.send()[1]
    assert second["city"] == "Bergen" and "owner" not in second, second
    plant.limits(20)
    plant.send_until("a replaced CSV file", "maximum", 20)
    before = plant.rows()
    with open(plant.path("limits.csv"), "a", encoding="utf-8") as file:
        file.write("dev-9,1\n")
    plant.replace("sites.json", json.dumps({"site": "a", "city": "Aarhus"}))
    plant.send_until("a changed JSON file", "city", "Aarhus")
    plant.owner("Grace")
    plant.send_until("a changed SQLite file", "owner", "Grace")
    for factor in (1.5, 2.5):
        status, answer = plant.request(
            "POST", "/streams/corrections/events", json.dumps({"deviceId": "dev-0", "factor": factor}))
        assert status == 202, answer
        plant.send_until("a changed table", "factor", factor)
    after = plant.rows()
    same("rows of before", {spot: after.get(spot) for spot in before}, before)
    function = plant.function("joined")
    assert function["eventsIn"] == plant.seq * len(DEVICES), f"the function started again: {function}"
    assert plant.rejections() == [], plant.rejections()


def damage(plant):
    with open(plant.path("limits.csv"), "w", encoding="utf-8") as file:
        file.write("deviceId,maximum\ndev-0,30\ndev-1\n")
    for _ in range(60):
        reasons = plant.rejections()
        if reasons:
            break
        time.sleep(0.1)
    assert len(reasons) == 1 and "'limits'" in reasons[0] and "limits.csv" in reasons[0], reasons
    assert plant.send()[0]["maximum"] == 20
    time.sleep(2.5)
    assert len(plant.rejections()) == 1, "a problem is told once"
    os.remove(plant.path("limits.csv"))
    time.sleep(2.5)
    assert plant.send()[0]["maximum"] == 20
    plant.limits(40)
    plant.send_until("a repaired file", "maximum", 40)


def kill(plant):
    before = plant.rows()
    plant.end(signal.SIGKILL)
    plant.start()
    same("after a kill", plant.rows(), before)
    # An event whose device's clock runs fast reads a version; the next one must not reach it.
    ahead = plant.send(ahead=4)
    assert ahead[0]["maximum"] == 40, ahead
    before = plant.rows()
    plant.end(signal.SIGKILL)
    plant.limits(50)
    plant.start()
    same("after a kill with a changed file", plant.rows(), before)
    plant.send_until("a file that changed while nothing ran", "maximum", 50, seconds=12)


def replay(plant):
    live = plant.rows()
    plant.end(signal.SIGTERM)
    result = subprocess.run(
        [OGAWA, "query", "--file", plant.path("functions/joined.sql"), "--project", plant.folder, "--input",
         "telemetry"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    same("ogawa query", {(row["deviceId"], row["seq"]): shown(row) for row in rows}, live)
    assert len(rows) == len(live)
    for file in glob.glob(plant.path("data/tables.db*")):
        os.remove(file)
    shutil.rmtree(plant.path("data/checkpoints"))
    plant.start()
    for _ in range(100):
        if plant.function("joined")["lagEvents"] == 0 and len(plant.rows()) == len(live):
            break
        time.sleep(0.1)
    same("a run without tables and checkpoints", plant.rows(), live)
    print(f"{len(live)} rows of {len(glob.glob(plant.path('data/references/*/*.json')))} versions, the same in each replay")


def reload(plant):
    plant.end(signal.SIGTERM)
    plant.start("dev")
    plant.send()
    joined, factors = plant.function("joined")["eventsIn"], plant.function("factors")["eventsIn"]
    plant.replace("regions.csv", "city,region\nAarhus,Jutland\n")
    plant.replace("ogawa.yaml", SETTINGS.replace("references:", "references:\n  regions: { file: regions.csv }"))
    plant.limits(60)
    plant.send_until("a file beside changed settings", "maximum", 60)
    assert plant.function("joined")["eventsIn"] >= joined, "a function started again that reads no new reference data"
    sql = FUNCTIONS["joined"].replace("c.factor", "c.factor, r.region") + "\nLEFT JOIN regions r ON s.city = r.city"
    plant.replace("functions/joined.sql", sql + "\n")
    plant.send_until("new reference data", "region", "Jutland")
    assert plant.function("factors")["eventsIn"] == factors
    plant.end(signal.SIGTERM)


def main():
    work = tempfile.mkdtemp(prefix="ogawa-reference-")
    plant = Plant(os.path.join(work, "plant"))
    parts = [changes, damage, kill, replay, reload]
    passed = 0
    for part in parts:
        try:
            part(plant)
        except (AssertionError, OSError, http.client.HTTPException) as failure:
            print(f"FAILED in {part.__name__}: {failure}")
            # Each part goes on where the one before it ended.
            break
        passed += 1
    if plant.process and plant.process.poll() is None:
        plant.process.kill()
    shutil.rmtree(work, ignore_errors=True)
    print(f"{passed} passed, {len(parts) - passed} failed")
    sys.exit(0 if passed == len(parts) else 1)


if __name__ == "__main__":
    main()
