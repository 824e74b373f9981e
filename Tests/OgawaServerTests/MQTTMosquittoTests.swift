import OgawaServer
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The listener against mosquitto's own command-line clients, unmodified.
@Suite(
    .serialized, .timeLimit(.minutes(1)),
    .enabled(if: MosquittoCommand.isInstalled, "mosquitto_pub is not installed: apt-get install mosquitto-clients"))
struct MQTTMosquittoTests {
    private let topic = ["-t", "devices/d1/telemetry"]

    @Test(arguments: ["0", "1"])
    func `mosquitto_pub sends one message`(qos: String) async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            #expect(await MosquittoCommand.publish(port, topic + ["-q", qos, "-m", "{\"voltage\":0.7}"]) == 0)
            #expect(await eventually { ingest.payloads == ["{\"voltage\":0.7}"] })
            #expect(ingest.messages.first?.deviceID == "d1")
        }
    }

    @Test func `mosquitto_pub -l sends many lines in order`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            let lines = (0..<500).map { "{\"n\":\($0)}" }
            let input = lines.joined(separator: "\\n") + "\\n"
            #expect(await MosquittoCommand.publish(port, topic + ["-q", "1", "-l"], input: input) == 0)
            #expect(ingest.payloads == lines)
        }
    }

    @Test func `Azure's topic brings properties`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            let topic = "devices/d2/messages/events/$.ct=application%2Fjson&room=cold%20store"
            #expect(await MosquittoCommand.publish(port, ["-i", "d2", "-q", "1", "-t", topic, "-m", "{}"]) == 0)
            let properties = ingest.messages.map { String(decoding: $0.properties, as: UTF8.self) }
            #expect(properties == [#"{"$.ct":"application/json","room":"cold store"}"#])
        }
    }

    @Test func `a will and a retained message are accepted, and only the message is stored`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            let will = ["--will-topic", "devices/d1/telemetry", "--will-payload", "{\"gone\":true}"]
            #expect(await MosquittoCommand.publish(port, topic + will + ["-q", "1", "-r", "-m", "{}"]) == 0)
            #expect(ingest.payloads == ["{}"])
        }
    }

    @Test(arguments: [["-q", "2"], ["-V", "mqttv5"], ["-V", "mqttv31"]])
    func `what is not offered fails with an exit code`(options: [String]) async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            #expect(await MosquittoCommand.publish(port, topic + options + ["-m", "{}"]) != 0)
            #expect(ingest.messages.isEmpty)
            #expect(ingest.rejections.count >= 1)
        }
    }
}

/// Runs mosquitto_pub through the shell.
enum MosquittoCommand {
    static let isInstalled = system("command -v mosquitto_pub >/dev/null 2>&1") == 0

    /// The exit code; `input` is given to printf.
    static func publish(_ port: Int, _ arguments: [String], input: String = "") async -> Int32 {
        let quoted = arguments.map { "'\($0)'" }.joined(separator: " ")
        let command = "printf '\(input)' | timeout 20 mosquitto_pub -h 127.0.0.1 -p \(port) \(quoted) 2>/dev/null"
        return await offCooperativeThreads { system(command) }
    }
}
