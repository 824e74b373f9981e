// The files of `ogawa init --template temperature`: thermometers of the kind TMP36, whose voltage says the temperature.

extension Template {
    /// Volts in, smoothed degrees out.
    package static let temperature = Template(
        name: "temperature", summary: "TMP36 thermometers: volts in, smoothed degrees Celsius out",
        files: [
            ("ogawa.yaml", temperatureSettings), ("functions/temperature.sql", temperatureFunction),
            ("tests/smoothing.yaml", temperatureSmoothingCase), ("tests/devices.yaml", temperatureDevicesCase),
            ("README.md", temperatureReadme), (".gitignore", "data/\n"),
        ])
}

private let temperatureSettings = """
    # What flows in (streams) and where results go (outputs). `ogawa check` tells what is wrong in here.
    streams:
      # deviceId, timestamp (ISO 8601) and voltage of each reading; kept for a week
      telemetry: { partitions: 4, retention: 7d, time: timestamp, late: 5s, outOfOrder: 0s }

    outputs:
      # one row for each reading, by device and time; kept for a month
      temperature: { table: { key: deviceId, range: time, keep: 30d } }

    """

private let temperatureFunction = """
    -- TMP36 volts to degrees, smoothed over the last minute
    SELECT deviceId, System.Timestamp() AS time,
           (voltage - 0.5) * 100 AS celsius,
           AVG((voltage - 0.5) * 100) OVER (PARTITION BY deviceId LIMIT DURATION(second, 60)) AS smoothed
    INTO temperature
    FROM telemetry TIMESTAMP BY timestamp OVER deviceId

    """

private let temperatureSmoothingCase = """
    # Run with: ogawa test tests
    name: smoothing
    feature: the mean of the last minute
    file: ../functions/temperature.sql
    inputs:
      telemetry:
        - { deviceId: hall, timestamp: "2026-04-01T09:00:00Z", voltage: 0.70 }
        - { deviceId: hall, timestamp: "2026-04-01T09:00:30Z", voltage: 0.72 }
        - { deviceId: hall, timestamp: "2026-04-01T09:01:15Z", voltage: 0.76 }
    expect:
      temperature:
        - { deviceId: hall, time: "2026-04-01T09:00:00Z", celsius: 20, smoothed: 20 }
        - { deviceId: hall, time: "2026-04-01T09:00:30Z", celsius: 22, smoothed: 21 }
        # the first reading is more than a minute old
        - { deviceId: hall, time: "2026-04-01T09:01:15Z", celsius: 26, smoothed: 24 }
    ordered: true

    """

private let temperatureDevicesCase = """
    name: devices
    feature: devices do not mix, and a missing voltage gives no temperature
    file: ../functions/temperature.sql
    inputs:
      telemetry:
        - { deviceId: hall, timestamp: "2026-04-01T09:00:00Z", voltage: 0.70 }
        - { deviceId: yard, timestamp: "2026-04-01T09:00:01Z", voltage: 0.45 }
        - { deviceId: hall, timestamp: "2026-04-01T09:00:02Z" }
    expect:
      temperature:
        - { deviceId: hall, time: "2026-04-01T09:00:00Z", celsius: 20, smoothed: 20 }
        - { deviceId: yard, time: "2026-04-01T09:00:01Z", celsius: -5, smoothed: -5 }
        - { deviceId: hall, time: "2026-04-01T09:00:02Z", celsius: null, smoothed: 20 }
    ordered: false

    """

private let temperatureReadme = """
    # Temperature

    Thermometers of the kind TMP36 send volts; this project makes degrees Celsius of them, raw and smoothed over the last minute.

    ```
    ogawa dev            # runs the project here and reloads what you save
    ```

    Open the address that it prints, and send a reading from a second terminal.

    By HTTP:

    ```
    curl http://127.0.0.1:8080/devices/hall/telemetry -H 'Content-Type: application/json' \\
      -d '{"deviceId":"hall","timestamp":"'$(date -u +%FT%TZ)'","voltage":0.71}'
    ```

    By MQTT:

    ```
    mosquitto_pub -h 127.0.0.1 -p 1883 -q 1 -i yard -t devices/yard/telemetry \\
      -m '{"deviceId":"yard","timestamp":"'$(date -u +%FT%TZ)'","voltage":0.45}'
    ```

    Then look at the results:

    ```
    ogawa rows temperature --key hall --last 5
    ogawa tail temperature
    curl 'http://127.0.0.1:8080/tables/temperature?key=hall&limit=5&order=desc'
    ```

    | file | what it is |
    | --- | --- |
    | `ogawa.yaml` | streams, outputs, and how long they keep what they hold |
    | `functions/temperature.sql` | the function; every file in `functions/` is one |
    | `tests/*.yaml` | cases for `ogawa test tests`: events in, rows expected |
    | `data/` | the log, the tables and the state; made by Ogawa, never committed |

    Things to try: change `second, 60` in the function and save it while `ogawa dev` runs; add
    `WHERE voltage > 0.1 AND voltage < 1.75` to leave broken sensors out; copy the function, and write its rows `INTO` an output of your own.

    """
