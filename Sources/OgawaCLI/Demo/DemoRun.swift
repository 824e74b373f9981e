// The demo while it runs: devices, the live feed, and the line that tells how it goes.

import Ogawa
import OgawaCore
import OgawaPlatform

/// Runs the simulated building against a server.
struct DemoRun {
    let server: Server
    let address: ServerAddress
    let mqtt: ListenAddress
    let building: Building
    let meter = DemoMeter()
    let showsLine: Bool

    init(server: Server, building: Building, showsLine: Bool) throws {
        guard let address = ServerAddress(server.endpoints.http),
            let mqtt = ListenAddress(String(server.endpoints.mqtt.dropFirst("mqtt://".count)))
        else { throw CommandFailure("the instance listens at \(server.endpoints.http), which is no address") }
        self.server = server
        self.address = address
        self.mqtt = mqtt
        self.building = building
        self.showsLine = showsLine
    }

    /// Sends until the time is over or the user ends it.
    func run(for duration: Duration?, stop: StopSignal) async throws {
        let feed = try await HTTPClient(address).live("temperature")
        let meter = meter
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                do { for try await row in feed { meter.stored(row) } } catch {}
                return false
            }
            let start = ContinuousClock.now
            await withTaskGroup(of: Bool.self) { devices in
                for thermometer in building.thermometers {
                    var sender = DeviceSender(
                        model: thermometer.model, transport: thermometer.transport, http: address, mqtt: mqtt,
                        meter: meter)
                    devices.addTask {
                        await sender.run(start: start, clock: SystemClock())
                        return false
                    }
                }
                devices.addTask {
                    await stop.wait()
                    return true
                }
                if let duration {
                    devices.addTask {
                        _ = try? await Task.sleep(for: duration)
                        return true
                    }
                }
                if showsLine { devices.addTask { await showLine(start) } }
                for await isOver in devices where isOver { break }
                devices.cancelAll()
            }
            await settle()
            group.cancelAll()
        }
        if showsLine { Output.status("\r\u{1b}[K") }
    }

    /// Waits until every function has read what was sent, at most some seconds.
    private func settle() async {
        for _ in 0..<100 {
            guard let status = try? await status(), case .array(let functions)? = status["functions"] else { return }
            if functions.allSatisfy({ $0["lagEvents"] == .integer(0) }) { break }
            _ = try? await Task.sleep(for: .milliseconds(30))
        }
        // The last rows are stored; the feed brings them within moments.
        _ = try? await Task.sleep(for: .milliseconds(50))
    }

    /// The instance's own account.
    func status() async throws -> JSONValue {
        let client = HTTPClient(address)
        let response = try await client.request("GET", "/status")
        await client.close()
        return try JSONValue.parse(response.text)
    }

    /// Rows in the table and events rejected, as the instance counts them.
    func totals() async throws -> (rows: Int64, rejected: Int64) {
        let status = try await status()
        var rows: Int64 = 0
        if case .array(let outputs)? = status["outputs"] {
            for output in outputs where output["name"] == .string("temperature") {
                if case .integer(let count)? = output["rows"] { rows = count }
            }
        }
        guard case .integer(let rejected)? = status["rejected"] else { return (rows, 0) }
        return (rows, rejected)
    }

    private func showLine(_ start: ContinuousClock.Instant) async -> Bool {
        while (try? await Task.sleep(for: .milliseconds(250))) != nil {
            let figures = meter.figures
            let elapsed = (ContinuousClock.now - start).inSeconds
            var line = "  \(Figure.fixed(elapsed, 0)) s   \(Figure.grouped(Int64(figures.events))) events"
            line += "   \(Figure.grouped(Int64(figures.liveRows))) rows"
            line += " (\(Figure.fixed(Double(figures.liveRows) / max(elapsed, 0.1), 0))/s)"
            if let p50 = figures.p50Milliseconds, let p99 = figures.p99Milliseconds {
                line += "   p50 \(Figure.fixed(p50)) ms  p99 \(Figure.fixed(p99)) ms"
            }
            if let newest = figures.lobby.last {
                line += "   lobby \(DemoRun.sparkline(figures.lobby)) \(Figure.fixed(newest)) °C"
            }
            Output.status("\r\(DisplayText.fit(line, width: max(20, Terminal.width - 1)))")
        }
        return false
    }

    /// The values as a row of bars, at least a degree high.
    static func sparkline(_ values: [Double]) -> String {
        guard let low = values.min(), let high = values.max() else { return "" }
        let bars = Array("▁▂▃▄▅▆▇█")
        let span = max(1, high - low)
        return String(values.map { bars[min(7, max(0, Int(($0 - low) / span * 7.99)))] })
    }
}
