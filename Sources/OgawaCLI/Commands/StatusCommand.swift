import ArgumentParser
import Ogawa
import OgawaCore

/// `ogawa status`.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show rates, lag and errors of a running instance.",
        discussion: examples(
            "Lag is told in events that wait and in seconds since the oldest of them was enqueued.", "ogawa status",
            "ogawa status --url http://127.0.0.1:9000", "ogawa status --json | jq '.functions[].lagEvents'"))

    @Flag(help: "Print the status as one JSON object.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run() async throws {
        let response = try await HTTPClient(server.address).request("GET", "/status")
        guard response.isSuccess else { throw response.problem }
        let status = try JSONValue.parse(response.text)
        if json {
            Output.line(status.text)
            return
        }
        for line in StatusText(status).lines { Output.line(line) }
    }
}

/// The status of an instance in words and tables.
struct StatusText {
    private let status: JSONValue

    init(_ status: JSONValue) { self.status = status }

    var lines: [String] {
        var lines: [String] = []
        let uptime = Figure.seconds(number(status, "uptimeSeconds"))
        lines.append(
            "\(Style.output.paint(text(status, "name"), bold: true))  version \(text(status, "version"))  up \(uptime)  "
                + "rejected \(whole(status, "rejected"))")
        lines += table("Streams", "streams") { stream in
            [
                JSONMember("stream", .string(text(stream, "name"))),
                JSONMember("partitions", stream["partitions"] ?? .null),
                JSONMember("events", .string(whole(stream, "events"))),
                JSONMember("events/s", .string(Figure.fixed(number(stream, "eventsPerSecond")))),
                JSONMember("size", .string(Figure.bytes(Int64(number(stream, "bytes"))))),
            ]
        }
        lines += table("Functions", "functions") { function in
            [
                JSONMember("function", .string(text(function, "name"))),
                JSONMember("state", .string(text(function, "state"))),
                JSONMember("events/s", .string(Figure.fixed(number(function, "eventsPerSecond")))),
                JSONMember("rows", .string(whole(function, "rowsOut"))),
                JSONMember(
                    "lag",
                    .string("\(whole(function, "lagEvents")) (\(Figure.seconds(number(function, "lagSeconds"))))")),
                JSONMember("watermark", .string(text(function, "watermark"))),
                JSONMember("late", .string(whole(function, "late"))),
                JSONMember("early", .string(whole(function, "early"))),
                JSONMember("dropped", .string(whole(function, "dropped"))),
            ]
        }
        lines += table("Outputs", "outputs") { output in
            [
                JSONMember("output", .string(text(output, "name"))), JSONMember("kind", .string(text(output, "kind"))),
                JSONMember("rows", .string(whole(output, "rows"))),
                JSONMember("rows/s", .string(Figure.fixed(number(output, "rowsPerSecond")))),
            ]
        }
        for function in elements("functions") {
            guard case .string(let error)? = function["lastError"] else { continue }
            lines += [
                "", Style.output.paint("\(text(function, "name")): last error", red: true), DisplayText.plain(error),
            ]
        }
        return lines
    }

    private func elements(_ name: String) -> [JSONValue] {
        guard case .array(let elements)? = status[name] else { return [] }
        return elements
    }

    private func table(_ title: String, _ name: String, _ row: (JSONValue) -> [JSONMember]) -> [String] {
        let found = elements(name)
        guard !found.isEmpty else { return ["", "\(title): none"] }
        var lines = ["", title]
        var writer = TableWriter(width: Terminal.isOutput ? Terminal.width : 200) { lines.append($0) }
        for element in found { writer.add(row(element)) }
        writer.finish()
        return lines
    }

    private func text(_ value: JSONValue, _ name: String) -> String {
        switch value[name] {
        case .string(let text)?: DisplayText.plain(text)
        case nil, .null?: "–"
        case .some(let value): value.text
        }
    }

    private func number(_ value: JSONValue, _ name: String) -> Double {
        switch value[name] {
        case .integer(let number)?: Double(number)
        case .float(let number)?: number
        default: 0
        }
    }

    private func whole(_ value: JSONValue, _ name: String) -> String {
        Figure.grouped(Int64(exactly: number(value, name).rounded()) ?? 0)
    }
}
