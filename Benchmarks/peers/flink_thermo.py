"""The three thermo queries in Flink SQL (PyFlink), parallelism 1, rows to the blackhole sink. Needs Java."""

import sys

from pyflink.table import EnvironmentSettings, TableEnvironment

OVER = "SELECT deviceId, ts, AVG((voltage - 0.5) * 100) OVER (PARTITION BY deviceId ORDER BY ts {frame} PRECEDING AND CURRENT ROW) FROM readings"
QUERIES = {
    "a": OVER.format(frame="ROWS BETWEEN 9"),
    "b": """SELECT deviceId, window_end, AVG((voltage - 0.5) * 100)
            FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '5' MINUTES)) GROUP BY deviceId, window_start, window_end""",
    "c": OVER.format(frame="RANGE BETWEEN INTERVAL '60' SECOND"),
}


def main():
    query, source = sys.argv[1:3]
    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    environment.get_config().set("parallelism.default", "1")
    environment.execute_sql(f"""CREATE TABLE readings (deviceId STRING, `timestamp` STRING, voltage DOUBLE,
        ts AS TO_TIMESTAMP(`timestamp`, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z'''), WATERMARK FOR ts AS ts)
        WITH ('connector' = 'filesystem', 'path' = 'file://{source}', 'format' = 'json')""")
    environment.execute_sql(
        "CREATE TABLE rows_out (deviceId STRING, t TIMESTAMP(3), m DOUBLE) WITH ('connector' = 'blackhole')")
    environment.execute_sql(f"INSERT INTO rows_out {QUERIES[query]}").wait()


main()
