// The files of `ogawa init --template moving-average-js`: a moving average in ten lines of JavaScript with state.

extension Template {
    /// The last ten values of each device in a JavaScript function with state.
    package static let movingAverageJS = Template(
        name: "moving-average-js", summary: "the moving average of the last ten values, in JavaScript with state",
        files: [
            ("ogawa.yaml", movingAverageSettings), ("functions/averages.js", movingAverageFunction),
            ("README.md", movingAverageReadme), (".gitignore", "data/\n"),
        ])
}

private let movingAverageSettings = """
    # What flows in (streams) and where results go (outputs). `ogawa check` tells what is wrong in here.
    streams:
      telemetry: { partitions: 4, retention: 7d, time: timestamp }

    outputs:
      averages: { table: { key: deviceId, range: time, keep: 30d } }

    # redis-cli -p 6380 HGETALL averages shows the function's state
    listen: { http: 127.0.0.1:8080, mqtt: 127.0.0.1:1883, redis: 127.0.0.1:6380 }

    """

private let movingAverageFunction = """
    // The rows that a function returns go to the output of its name.
    module.exports = async (events, context) => {
        const rows = [];
        for (const { key, body } of events) {
            const { history = [] } = (await context.state.get(key)) ?? {};
            history.push({ timestamp: body.timestamp, value: body.value });
            if (history.length > 10) history.shift();
            const movavg = history.reduce((sum, entry) => sum + entry.value, 0) / history.length;
            history.at(-1).movavg = movavg;
            await context.state.set(key, { history });
            rows.push({ deviceId: key, time: body.timestamp, value: body.value, movavg });
        }
        return rows;
    };

    """

private let movingAverageReadme = """
    # Moving average in JavaScript

    Devices send `{"timestamp": …, "value": …}`; the function keeps the last ten of each device in its state and gives their mean.

    ```
    ogawa dev            # runs the project here and reloads what you save
    ```

    Send a value, then look at <http://127.0.0.1:8080/> and at the state:

    ```
    curl -H 'Content-Type: application/json' http://127.0.0.1:8080/devices/desk-1/telemetry \\
      -d '{"timestamp":"2026-04-01T09:00:00Z","value":21.5}'
    redis-cli -p 6380 HGETALL averages
    ```

    """
