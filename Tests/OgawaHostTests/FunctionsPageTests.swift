import OgawaCore
import OgawaHost
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The examples of docs/functions.md, found by discovery and run as they stand.
@Suite(.enabled(if: HostFixture.has("node") && HostFixture.has("python3"), "node or python3 is not installed"))
struct FunctionsPageTests {
    /// The blocks that name their file in one of the first lines.
    private func examples() throws -> [(file: String, text: String)] {
        let page = String(#filePath.split(separator: "/").dropLast(3).joined(separator: "/"))
        let file = try #require(fopen("/\(page)/docs/functions.md", "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 17)
        let text = String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
        return text.split(separator: "```").enumerated().filter { $0.offset % 2 == 1 }.compactMap { block in
            let lines = block.element.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
            guard let line = lines.prefix(2).first(where: { $0.contains(" functions/") }),
                let name = line.split(separator: " ").last
            else { return nil }
            let body = name.hasSuffix(".json") ? lines.dropFirst() : lines
            return (String(name), body.joined(separator: "\n"))
        }
    }

    @Test func `the examples run`() throws {
        let fixture = try HostFixture()
        let examples = try examples()
        #expect(examples.count >= 9)
        for example in examples {
            try fixture.write(example.text, to: example.file, mode: example.file.hasSuffix(".sh") ? 0o700 : 0o600)
        }
        let found = FunctionDiscovery.run(directory: "\(fixture.folder)/functions")
        #expect(found.problems == [])
        let batch = EventBatch.of([#"{"celsius":31.5}"#, #"{"celsius":20}"#], keys: ["d1", "d2"])
        var rows: [String: [String]] = [:]
        for definition in found.functions {
            fixture.host.add(definition.program)
            var functions = [definition]
            if definition.needsRegistration {
                let greeting = try fixture.host.describe(program: definition.program.name)
                functions = FunctionDiscovery.registered(by: definition, greeting: greeting).functions
            }
            for function in functions {
                var call = FunctionInvocation(
                    function: function.name, input: EventInput(stream: "telemetry", batch: batch))
                if case .timer = function.triggers.first {
                    call.trigger = .timer(TimerInput(scheduled: Timestamp(ticks: 0)))
                }
                rows[function.name] = try fixture.host.invoke(call, in: function.program.name).rows(of: "$return")
            }
        }
        #expect(rows["alert"] == [#"{"deviceId":"d1","time":"2026-01-01T00:00:00.000Z","celsius":31.5}"#])
        #expect(rows["alert_py"] == [#"{"deviceId":"d1","celsius":31.5}"#])
        #expect(rows["moving_average"] == [#"{"deviceId":"d1","movavg":31.5}"#, #"{"deviceId":"d2","movavg":20}"#])
        #expect(rows["hourly"] == [#"{"at":"1970-01-01T00:00:00.000Z"}"#])
        #expect(rows["dwell"] == ["1 Message created at: 2026-01-01", "2 Message created at: 2026-01-01"])
        #expect(rows["hot"] == [#"{"celsius":31.5}"#])
        #expect(rows["lambda"] == [])
        #expect(rows["lambda_py"]?.first?.contains(#""highest":31.5"#) == true)
        #expect(rows.count == 9, "\(rows.keys.sorted())")
    }
}
