#!/usr/bin/env python3
"""Functions in JavaScript and Python through kills: rows, state and stream events exactly once.

A JavaScript function keeps the last ten values of each device in its state, gives their mean as rows of a table, and copies each event
into a stream; a Python function fails for some events; a timer ticks. Ogawa is killed while events come and workers run, and
afterwards everything must be what this script computes from the events that the log holds. The seed is printed: `hosted_test.py SEED`.
"""
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
import threading
import time

OGAWA = os.path.abspath(os.environ.get("OGAWA", ".build/release/ogawa"))
SETTINGS = """\
streams:
  telemetry: { partitions: 3, time: timestamp }
  copies: { partitions: 2 }
  ticks: { partitions: 1 }
outputs:
  averages: { table: { key: deviceId, range: seq } }
  checked: { table: { key: deviceId, range: seq } }
functions:
  averages: { on: telemetry, batch: 20 }
  checked: { on: telemetry, attempts: 2, pause: 5ms }
  tick: { every: 1s, output: ticks }
"""
FUNCTIONS = {
    "averages.js": """\
module.exports = async (events, context) => {
    const rows = [];
    for (const { key, body } of events) {
        const { history = [] } = (await context.state.get(key)) ?? {};
        history.push(body.value);
        if (history.length > 10) history.shift();
        await context.state.set(key, { history });
        rows.push({ deviceId: key, seq: body.seq, mean: history.reduce((a, b) => a + b, 0) / history.length });
        context.emit('copies', { deviceId: key, seq: body.seq, run: context.invocationId });
    }
    return rows;
};
""",
    "checked.py": """\
def handler(events, context):
    for event in events:
        if event.body["seq"] % 50 == 7:
            raise ValueError("unlucky")
    return [{"deviceId": e.key, "seq": e.body["seq"], "ok": True} for e in events]
""",
    "tick.js": "module.exports = (timer) => ({ deviceId: 'clock', at: timer.scheduled });\n",
}


class Plant:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(os.path.join(folder, "functions"))
        with open(os.path.join(folder, "ogawa.yaml"), "w", encoding="utf-8") as file:
            file.write(SETTINGS)
        for name, text in FUNCTIONS.items():
            with open(os.path.join(folder, "functions", name), "w", encoding="utf-8") as file:
                file.write(text)

    def start(self):
        self.process = subprocess.Popen(
            [OGAWA, "run", self.folder, "--port", "0", "--mqtt-port", "0", "--json"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.port = int(json.loads(self.process.stdout.readline())["http"].rsplit(":", 1)[1])

    def end(self, how):
        self.process.send_signal(how)
        code = self.process.wait(20)
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
        for _ in range(300):
            functions = self.request("GET", "/status")[1]["functions"]
            if all(f["lagEvents"] == 0 for f in functions):
                return functions
            time.sleep(0.1)
        raise AssertionError(f"functions lag: {functions}")

    def rows(self, table):
        status, answer = self.request("GET", f"/tables/{table}/newest?limit=10000")
        assert status == 200, answer
        return answer["rows"]

    def query(self, sql, stream):
        result = subprocess.run(
            [OGAWA, "query", sql, "--project", self.folder, "--input", stream], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]


def send(plant, chance, sequence, seconds):
    """Sends until the time is over or Ogawa is gone."""
    end = time.time() + seconds
    while time.time() < end:
        lines = []
        for _ in range(chance.randint(1, 10)):
            device = f"dev-{chance.randrange(8)}"
            sequence[device] += 1
            lines.append(json.dumps({"deviceId": device, "seq": sequence[device], "value": round(chance.uniform(0, 40), 3)}))
        try:
            plant.request("POST", "/streams/telemetry/events", "\n".join(lines))
        except (OSError, http.client.HTTPException, ValueError):
            return
        time.sleep(chance.choice([0, 0.002, 0.01]))


def check(plant):
    functions = plant.settle()
    averages, checked = plant.rows("averages"), plant.rows("checked")
    letters = [r for r in plant.request("GET", "/rejections?limit=1000")[1]["rejections"] if "gave up" in r["reason"]]
    assert all(f["state"] == "running" or f["name"] == "checked" for f in functions), functions
    plant.end(signal.SIGTERM)
    events = plant.query("SELECT deviceId, seq, value FROM telemetry", "telemetry")
    devices = collections.defaultdict(list)
    for event in events:
        devices[event["deviceId"]].append(event)
    means = {}
    for device, readings in devices.items():
        for index, reading in enumerate(readings):
            last = [r["value"] for r in readings[max(0, index - 9):index + 1]]
            means[device, reading["seq"]] = sum(last) / len(last)
    found = {(row["deviceId"], row["seq"]): row["mean"] for row in averages}
    assert found.keys() == means.keys(), f"{len(found)} rows, {len(means)} expected"
    for place, mean in means.items():
        assert abs(found[place] - mean) < 1e-9, f"{place}: {found[place]}, expected {mean}"
    copies = collections.Counter(
        (row["deviceId"], row["seq"]) for row in plant.query("SELECT deviceId, seq FROM copies", "copies"))
    assert copies == collections.Counter(means.keys()), "an event was copied twice or not at all"
    good = {place for place in means if place[1] % 50 != 7}
    assert {(row["deviceId"], row["seq"]) for row in checked} == good, "a good event is missing, or a bad one is there"
    lost = plant.query("SELECT deviceId, body FROM [dead-letters] WHERE function = 'checked'", "dead-letters")
    unlucky = collections.Counter((row["body"]["deviceId"], row["body"]["seq"]) for row in lost)
    assert unlucky == collections.Counter(place for place in means if place[1] % 50 == 7), "dead letters differ"
    ticks = [row["at"] for row in plant.query("SELECT at FROM ticks", "ticks")]
    assert ticks and len(ticks) == len(set(ticks)), "a tick came twice"
    return len(events), len(lost), len(ticks), len(letters)


def main():
    if shutil.which("node") is None or shutil.which("python3") is None:
        print("node and python3 are needed")
        return 77
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    folder = os.path.join(tempfile.mkdtemp(prefix="ogawa-hosted-"), "plant")
    plant = Plant(folder)
    sequence = collections.Counter()
    passed = failed = 0
    try:
        for round in range(6):
            plant.start()
            sender = threading.Thread(target=send, args=(plant, random.Random(chance.random()), sequence, 3))
            sender.start()
            time.sleep(chance.uniform(0.6, 2.5))
            plant.end(signal.SIGKILL if round % 3 != 2 else signal.SIGTERM)
            sender.join()
        plant.start()
        send(plant, chance, sequence, 1)
        events, letters, ticks, _ = check(plant)
        print(f"6 kills and stops: {events} events, each once in table, state and stream; {letters} dead letters; {ticks} ticks")
        passed += 1
    except AssertionError as failure:
        print(f"FAILED (seed {seed}): {failure}")
        failed += 1
    finally:
        if plant.process.poll() is None:
            plant.process.kill()
        shutil.rmtree(os.path.dirname(folder), ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
