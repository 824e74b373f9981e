"""The three thermo queries in Bytewax, one worker; rows are counted."""

import json
import sys
from collections import deque
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.connectors.files import FileSource
from bytewax.testing import run_main

START = datetime(2026, 11, 22, tzinfo=timezone.utc)


class Counting(StatelessSinkPartition):
    count = 0

    def write_batch(self, items):
        Counting.count += len(items)


class CountingSink(DynamicSink):
    def build(self, step_id, worker_index, worker_count):
        return Counting()


def parse(line):
    event = json.loads(line)
    return event["deviceId"], (datetime.fromisoformat(event["timestamp"]), (event["voltage"] - 0.5) * 100)


def last_ten(state, reading):
    state = state or deque(maxlen=10)
    state.append(reading[1])
    return state, (reading[0], sum(state) / len(state))


def last_minute(state, reading):
    state = state or deque()
    state.append(reading)
    while state[0][0] <= reading[0] - timedelta(seconds=60):
        state.popleft()
    return state, (reading[0], sum(value for _, value in state) / len(state))


def main():
    query, source = sys.argv[1:3]
    flow = Dataflow("thermo")
    keyed = op.map("parse", op.input("input", flow, FileSource(source)), parse)
    if query == "b":
        clock = EventClock(lambda reading: reading[0], wait_for_system_duration=timedelta(0))
        windower = TumblingWindower(align_to=START, length=timedelta(minutes=5))
        folded = fold_window(
            "average", keyed, clock, windower, lambda: (0.0, 0),
            lambda sums, reading: (sums[0] + reading[1], sums[1] + 1),
            lambda one, other: (one[0] + other[0], one[1] + other[1]))
        rows = folded.down
    else:
        rows = op.stateful_map("average", keyed, last_ten if query == "a" else last_minute)
    op.output("output", rows, CountingSink())
    run_main(flow)
    print(Counting.count, "rows")


main()
