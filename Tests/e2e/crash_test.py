#!/usr/bin/env python3
"""Kills and power cuts during ingest: nothing acknowledged is lost, nothing is doubled, and the results are right.

Devices send over HTTP and MQTT QoS 1 to the real program, which is killed at random moments: by SIGKILL, and by cutting
the power of its disk (an ext4 file system on a loop file that is shut down under it: what was not synced is gone; needs root). After
each kind of crash the log must hold every acknowledged event exactly once and in order, the table must equal what
`ogawa query` computes over the log, bit for bit, and what this script computes by the definition, within 1e-9.

    OGAWA=.build/release/ogawa Tests/e2e/crash_test.py [--rounds 20] [--seed N] [--mode kill|power|all]
"""

import argparse
import datetime
import fcntl
import http.client
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

OGAWA = os.environ.get("OGAWA", ".build/release/ogawa")
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Book:
    """What was sent and what was acknowledged, per device; closed at the moment of a crash."""

    def __init__(self):
        self.lock = threading.Lock()
        self.is_open = False
        self.sent = {}
        self.acknowledged = {}

    def send(self, device):
        with self.lock:
            events = self.sent.setdefault(device, [])
            now = datetime.datetime.now(datetime.timezone.utc)
            last = events[-1][0] if events else ""
            stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
            if stamp <= last:  # event times must differ, since the table has one row per device and time
                before = datetime.datetime.strptime(last, "%Y-%m-%dT%H:%M:%S.%fZ")
                stamp = (before + datetime.timedelta(microseconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
            seq = len(events)
            voltage = round(0.5 + ((seq * 7919 + len(device) * 31) % 1000) / 4000, 6)
            events.append((stamp, voltage))
            return seq, json.dumps({"deviceId": device, "timestamp": stamp, "seq": seq, "voltage": voltage})

    def acknowledge(self, device, seqs):
        with self.lock:
            if self.is_open:
                self.acknowledged.setdefault(device, set()).update(seqs)

    def close(self):
        with self.lock:
            self.is_open = False

    def open(self):
        with self.lock:
            self.is_open = True


def send_http(book, device, port, ended, seed):
    chance = random.Random(seed)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        while not ended.is_set():
            events = [book.send(device) for _ in range(chance.choice([1, 1, 5, 20]))]
            body = "\n".join(text for _, text in events)
            connection.request(
                "POST", f"/devices/{device}/telemetry", body, {"Content-Type": "application/x-ndjson"})
            response = connection.getresponse()
            response.read()
            if response.status == 202:
                book.acknowledge(device, [seq for seq, _ in events])
            elif response.status not in (429, 503):
                raise AssertionError(f"HTTP {response.status}")
    except (OSError, http.client.HTTPException):
        pass


def mqtt_string(text):
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def mqtt_packet(kind, body):
    length, rest = b"", len(body)
    while True:
        rest, byte = divmod(rest, 128)
        length += bytes([byte | (128 if rest else 0)])
        if not rest:
            return bytes([kind]) + length + body


def send_mqtt(book, device, port, ended):
    """QoS 1 with up to 20 messages in flight."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connect = mqtt_string("MQTT") + bytes([4, 2, 0, 60]) + mqtt_string(device)
            connection.sendall(mqtt_packet(0x10, connect))
            stream = connection.makefile("rb")
            assert stream.read(4) == b"\x20\x02\x00\x00", "CONNACK"
            packet_id, waiting = 0, {}
            while not ended.is_set():
                burst = b""
                while len(waiting) < 20:
                    packet_id = packet_id % 65535 + 1
                    seq, text = book.send(device)
                    waiting[packet_id] = seq
                    topic = mqtt_string(f"devices/{device}/telemetry")
                    burst += mqtt_packet(0x32, topic + struct.pack(">H", packet_id) + text.encode())
                connection.sendall(burst)
                acknowledgement = stream.read(4)
                if len(acknowledgement) < 4:
                    return
                assert acknowledgement[:2] == b"\x40\x02", acknowledgement
                book.acknowledge(device, [waiting.pop(struct.unpack(">H", acknowledgement[2:])[0])])
    except OSError:
        pass


class Disk:
    """The folder of the data: a plain folder, or an ext4 file system whose power can be cut."""

    def __init__(self, work, is_cuttable):
        self.folder = os.path.join(work, "disk")
        self.image = os.path.join(work, "disk.img")
        self.is_cuttable = is_cuttable
        os.makedirs(self.folder)
        if is_cuttable:
            with open(self.image, "wb") as image:
                image.truncate(512 << 20)
            subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
            self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.folder], check=True)

    def cut(self):
        handle = os.open(self.folder, os.O_RDONLY)
        fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(handle)

    def recover(self):
        subprocess.run(["umount", self.folder], check=True)
        check = subprocess.run(["e2fsck", "-fp", self.image], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert check.returncode in (0, 1), f"e2fsck: {check.returncode}"
        self.mount()

    def release(self):
        if self.is_cuttable:
            subprocess.run(["umount", self.folder], check=False)


def start(project, data):
    process = subprocess.Popen(
        [OGAWA, "run", project, "--port", "0", "--mqtt-port", "0", "--data", data, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if not line:
        raise AssertionError(f"did not start: {process.stderr.read()}")
    ready = json.loads(line)
    port = lambda address: int(address.rsplit(":", 1)[1])
    return process, port(ready["http"]), port(ready["mqtt"])


def crash_round(project, disk, book, chance):
    process, http_port, mqtt_port = start(project, os.path.join(disk.folder, "data"))
    ended = threading.Event()
    book.open()
    threads = [
        threading.Thread(target=send_http, args=(book, f"web-{n}", http_port, ended, chance.random())) for n in range(3)
    ] + [threading.Thread(target=send_mqtt, args=(book, f"mq-{n}", mqtt_port, ended)) for n in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(0.05, 0.6))
    book.close()
    if disk.is_cuttable:
        disk.cut()
    process.send_signal(signal.SIGKILL)
    process.wait()
    ended.set()
    for thread in threads:
        thread.join()
    process.stdout.close()
    process.stderr.close()
    if disk.is_cuttable:
        disk.recover()


def query(project, data, *words):
    result = subprocess.run(
        [OGAWA, "query", *words, "--project", project, "--input", "telemetry", "--data", data],
        capture_output=True, text=True)
    assert result.returncode == 0, f"query: {result.stderr}"
    return [json.loads(line) for line in result.stdout.splitlines()]


def check_log(project, data, book):
    rows = query(project, data, "SELECT deviceId, seq, timestamp FROM telemetry TIMESTAMP BY timestamp")
    found = {}
    for row in rows:
        found.setdefault(row["deviceId"], []).append(row["seq"])
    count = 0
    for device, seqs in found.items():
        assert len(set(seqs)) == len(seqs), f"{device}: an event is there twice"
        assert seqs == sorted(seqs), f"{device}: out of order"
        assert seqs[-1] < len(book.sent[device]), f"{device}: an event that was never sent"
        count += len(seqs)
    for device, seqs in book.acknowledged.items():
        lost = seqs - set(found.get(device, []))
        assert not lost, f"{device}: {len(lost)} acknowledged events lost, first {min(lost)}"
    return count


def check_table(project, data, book):
    """Lets the functions catch up, then compares table, query and definition."""
    process, port, _ = start(project, data)
    for _ in range(300):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/status")
        status = json.loads(connection.getresponse().read())
        connection.close()
        if status["functions"] and all(f["lagEvents"] == 0 and f["state"] == "running" for f in status["functions"]):
            break
        time.sleep(0.1)
    else:
        raise AssertionError(f"the functions do not catch up: {status['functions']}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    table = {}
    for device in book.sent:
        connection.request("GET", f"/tables/temperature?key={device}&limit=10000&order=asc")
        page = json.loads(connection.getresponse().read())["rows"]
        while page:
            for row in page:
                table[(row["deviceId"], row["time"])] = row
            if len(page) < 10000:
                break
            connection.request(
                "GET", f"/tables/temperature?key={device}&limit=10000&order=asc&from={page[-1]['time'][:-1]}1Z")
            page = json.loads(connection.getresponse().read())["rows"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0, "exit code"
    expected = query(project, data, "--file", os.path.join(project, "functions", "temperature.sql"))
    # Events of one device that were moved to one time share a row; the newest counts.
    wanted = {(row["deviceId"], row["time"]): row for row in expected}
    assert len(wanted) == len(table), f"{len(table)} rows in the table, {len(wanted)} by the query"
    for place, row in wanted.items():
        assert table.get(place) == row, f"table: {table.get(place)}, query: {row}"
    check_definition(expected)
    return len(table)


def check_definition(rows):
    """The average of the last 60 s of each device, straight from its definition."""
    devices = {}
    for row in rows:
        moment = datetime.datetime.strptime(row["time"][:26], "%Y-%m-%dT%H:%M:%S.%f").timestamp()
        devices.setdefault(row["deviceId"], []).append((moment, row["celsius"], row["smoothed"]))
    for device, readings in devices.items():
        start, total = 0, 0.0
        for index, (moment, celsius, smoothed) in enumerate(readings):
            total += celsius
            while readings[start][0] <= moment - 60:
                total -= readings[start][1]
                start += 1
            mean = total / (index - start + 1)
            assert abs(mean - smoothed) <= 1e-9 * max(1, abs(mean)), (device, index, mean, smoothed)


def run(mode, rounds, seed):
    chance = random.Random(seed)
    work = tempfile.mkdtemp(prefix="ogawa-crash-")
    disk = Disk(work, mode == "power")
    try:
        project = os.path.join(work, "plant")
        subprocess.run([OGAWA, "init", project, "--template", "temperature"], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(project, "ogawa.yaml"), "a", encoding="utf-8") as settings:
            settings.write("checkpoints: { every: 50ms }\n")
        data = os.path.join(disk.folder, "data")
        book = Book()
        for index in range(rounds):
            crash_round(project, disk, book, chance)
            stored = check_log(project, data, book)
        rows = check_table(project, data, book)
        acknowledged = sum(len(seqs) for seqs in book.acknowledged.values())
        assert acknowledged > rounds, "hardly anything was acknowledged"
        print(f"{mode}: {rounds} crashes, {acknowledged} events acknowledged, {stored} stored, {rows} rows, 0 lost")
        return True
    except AssertionError as failure:
        print(f"FAILED {mode} (seed {seed}): {failure}")
        return False
    finally:
        disk.release()
        shutil.rmtree(work, ignore_errors=True)


def can_cut_power():
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        return False
    with tempfile.TemporaryDirectory() as work:
        try:
            disk = Disk(work, True)
        except (subprocess.CalledProcessError, OSError):
            return False
        disk.release()
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--mode", choices=["kill", "power", "all"], default="all")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    modes = ["kill", "power"] if options.mode == "all" else [options.mode]
    if "power" in modes and not can_cut_power():
        print("power cuts left out: they need root and a loop device")
        modes.remove("power")
    results = [run(mode, options.rounds, options.seed) for mode in modes]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
