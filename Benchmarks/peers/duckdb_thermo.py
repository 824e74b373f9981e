"""The three thermo queries in DuckDB: a batch database, which reads the file once and forgets it."""

import sys

import duckdb

QUERIES = {
    "a": """SELECT deviceId, timestamp AS t, AVG((voltage - 0.5) * 100) OVER
            (PARTITION BY deviceId ORDER BY seq ROWS 9 PRECEDING) AS m FROM readings""",
    "b": """SELECT deviceId, time_bucket(INTERVAL 5 MINUTE, timestamp::TIMESTAMP - INTERVAL 1 MICROSECOND) AS t,
            AVG((voltage - 0.5) * 100) AS m FROM readings GROUP BY ALL""",
    "c": """SELECT deviceId, timestamp AS t, AVG((voltage - 0.5) * 100) OVER (PARTITION BY deviceId
            ORDER BY timestamp::TIMESTAMP RANGE BETWEEN INTERVAL 60 SECONDS PRECEDING AND CURRENT ROW) AS m FROM readings""",
}


def main():
    query, source = sys.argv[1:3]
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    columns = "{deviceId: 'VARCHAR', timestamp: 'VARCHAR', seq: 'BIGINT', voltage: 'DOUBLE'}"
    connection.execute(
        f"CREATE VIEW readings AS SELECT * FROM read_json('{source}', format = 'newline_delimited', columns = {columns})"
    )
    if len(sys.argv) > 3:
        connection.execute(f"COPY ({QUERIES[query]}) TO '{sys.argv[3]}' (FORMAT json)")
    else:
        print(connection.execute(f"SELECT COUNT(*), SUM(m) FROM ({QUERIES[query]})").fetchone()[0], "rows")


main()
