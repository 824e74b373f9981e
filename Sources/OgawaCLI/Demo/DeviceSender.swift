// One device's connection, by HTTP or by MQTT, opened again when it is lost.

import NIOPosix
import Ogawa
import OgawaCore
import OgawaServer

/// Sends the readings of one thermometer as they fall due.
struct DeviceSender {
    private let http: HTTPClient
    private let mqttAddress: ListenAddress
    private let transport: Building.Transport
    private let meter: DemoMeter
    private var model: Thermometer
    private var mqtt: MQTTClient?
    private var held: [(due: ContinuousClock.Instant, reading: Reading)] = []

    init(
        model: Thermometer, transport: Building.Transport, http: ServerAddress, mqtt: ListenAddress, meter: DemoMeter
    ) {
        self.model = model
        self.transport = transport
        self.http = HTTPClient(http)
        mqttAddress = mqtt
        self.meter = meter
    }

    /// Sends until the task is cancelled.
    mutating func run(start: ContinuousClock.Instant, clock: any WallClock) async {
        // The first readings spread over the first interval, as devices do that were not switched on together.
        var next = start + model.interval * (Double(model.deviceID.utf8.reduce(0) { $0 &+ Int($1) } % 97) / 97)
        while !Task.isCancelled {
            guard (try? await Task.sleep(until: next, clock: .continuous)) != nil else { break }
            next += model.interval
            let now = ContinuousClock.now
            if let reading = model.reading(elapsed: (now - start).inSeconds, now: clock.now()) {
                if reading.delay > .zero { held.append((now + reading.delay, reading)) } else { await send(reading) }
            }
            let due = held.filter { $0.due <= now }
            held.removeAll { $0.due <= now }
            for item in due { await send(item.reading) }
        }
        await mqtt?.disconnect()
        await http.close()
    }

    private mutating func send(_ reading: Reading) async {
        for _ in 0..<reading.copies {
            meter.willSend(reading)
            do {
                switch transport {
                case .http: try await post(reading)
                case .mqtt: try await publish(reading)
                }
            } catch {
                mqtt = nil
                meter.failed()
            }
        }
    }

    private func post(_ reading: Reading) async throws {
        let path = AddressText.path(["devices", reading.deviceID, "telemetry"])
        let response = try await http.request(
            "POST", path, headers: [("content-type", "application/json")], body: Array(reading.json.utf8))
        if response.isSuccess { meter.acknowledged() } else { meter.refused() }
    }

    private mutating func publish(_ reading: Reading) async throws {
        let client: MQTTClient
        if let mqtt {
            client = mqtt
        } else {
            client = try await MQTTClient.connect(
                MQTTClient.Configuration(host: mqttAddress.host, port: mqttAddress.port, clientID: reading.deviceID),
                group: MultiThreadedEventLoopGroup.singleton)
            mqtt = client
        }
        try await client.publish(topic: "devices/\(reading.deviceID)/telemetry", payload: Array(reading.json.utf8))
        meter.acknowledged()
    }
}
