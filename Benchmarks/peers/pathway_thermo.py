"""Query B of thermo in Pathway, the file read as a stream that ends; rows are counted. A and C have no frame of rows there."""

import sys

import pathway as pw


class Reading(pw.Schema):
    deviceId: str
    timestamp: str
    voltage: float


def main():
    query, source = sys.argv[1:3]
    if query != "b":
        sys.exit("only b")
    table = pw.io.jsonlines.read(source, schema=Reading, mode="static")
    table = table.select(
        pw.this.deviceId,
        time=pw.this.timestamp.dt.strptime("%Y-%m-%dT%H:%M:%S.%fZ"),
        celsius=(pw.this.voltage - 0.5) * 100)
    rows = table.windowby(
        pw.this.time, window=pw.temporal.tumbling(duration=pw.Duration(minutes=5)), instance=pw.this.deviceId
    ).reduce(device=pw.this._pw_instance, end=pw.this._pw_window_end, mean=pw.reducers.avg(pw.this.celsius))
    counted = 0

    def count(key, row, time, is_addition):
        nonlocal counted
        counted += 1 if is_addition else -1

    pw.io.subscribe(rows, count)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    print(counted, "rows")


main()
