import ArgumentParser
import Ogawa
import OgawaCore

extension EventSource.Format: ExpressibleByArgument {}

/// `ogawa send`.
struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Send events into a stream.",
        discussion: examples(
            """
            Reads NDJSON (one JSON object per line), CSV with a header line, or a JSON array; packed with gzip where the name ends with .gz. \
            Returns when every event is durable.
            """,
            #"echo '{"deviceId":"hall","voltage":0.71}' | ogawa send telemetry"#,
            "ogawa send telemetry --file readings.csv --rate 100",
            "ogawa send telemetry --device hall < readings.ndjson"))

    @Argument(help: ArgumentHelp("The stream.", valueName: "stream"))
    var stream: String

    @Option(
        help: ArgumentHelp("The file to read; - or absent reads standard input.", valueName: "path"),
        completion: .file())
    var file: String?

    @Option(
        help: ArgumentHelp("The device that the events are from, in the place of the field in each.", valueName: "id"))
    var device: String?

    @Option(
        help: ArgumentHelp("Events per second at most. (default: as fast as they are accepted)", valueName: "events"))
    var rate: Double?

    @Option(help: "ndjson, csv or json. (default: by the file's name, else by its first character)")
    var format: EventSource.Format?

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    @OptionGroup var server: ServerOptions

    mutating func validate() throws {
        if let rate, !(rate > 0 && rate.isFinite) {
            throw ValidationError("--rate is \(rate), expected a number above 0")
        }
    }

    func run() async throws {
        var source = try EventSource(path: file, format: format)
        defer { source.close() }
        if file == nil, Terminal.isInput { Output.note("reading events from the keyboard; end with Ctrl-D") }
        var sender = EventSender(
            client: HTTPClient(server.address, timeout: .seconds(60)), stream: stream, device: device, rate: rate)
        var bar = ProgressBar("sending")
        do {
            while true {
                let events = try source.next()
                if events.isEmpty { break }
                try await sender.send(events, from: source.name)
                let fraction = source.byteCount.map { Double(source.readByteCount) / Double(max(1, $0)) }
                bar.update(fraction, "\(Figure.grouped(Int64(sender.sentCount))) events")
            }
        } catch {
            bar.finish()
            if sender.sentCount > 0 {
                Output.note("\(Figure.grouped(Int64(sender.sentCount))) events were accepted before")
            }
            throw error
        }
        bar.finish()
        report(sender)
    }

    private func report(_ sender: EventSender) {
        let seconds = (ContinuousClock.now - sender.start).inSeconds
        if json {
            Output.line(
                JSONValue.object([
                    JSONMember("sent", .integer(Int64(sender.sentCount))),
                    JSONMember("requests", .integer(Int64(sender.requestCount))),
                    JSONMember("seconds", .float(seconds)),
                ]).text)
            return
        }
        let rate = sender.sentCount > 1 ? " (\(Figure.fixed(Double(sender.sentCount) / max(seconds, 1e-6), 0))/s)" : ""
        let word = sender.sentCount == 1 ? "event" : "events"
        Output.line(
            "sent \(Figure.grouped(Int64(sender.sentCount))) \(word) to \(stream) in \(Figure.seconds(seconds))\(rate)")
    }
}

/// Posts events in batches, at a bounded rate, and waits where the instance asks for it.
struct EventSender {
    private static let batchCount = 500
    private static let batchByteCount = 512 << 10
    private static let maximumRetryCount = 30

    let client: HTTPClient
    let stream: String
    let device: String?
    let rate: Double?
    let start = ContinuousClock.now
    private(set) var sentCount = 0
    private(set) var requestCount = 0

    init(client: HTTPClient, stream: String, device: String?, rate: Double?) {
        self.client = client
        self.stream = stream
        self.device = device
        self.rate = rate
    }

    /// Returns when the events are durable.
    mutating func send(_ events: [EventSource.Event], from name: String) async throws {
        // A tenth of a second's worth at a time keeps a slow rate even.
        let countLimit =
            rate.map { min(EventSender.batchCount, max(1, Int(min($0, 10_000) / 10))) } ?? EventSender.batchCount
        var body: [UInt8] = []
        var first = 0
        for (index, event) in events.enumerated() {
            body.append(contentsOf: event.json.utf8)
            body.append(UInt8(ascii: "\n"))
            let isFull = index - first + 1 >= countLimit || body.count >= EventSender.batchByteCount
            guard isFull || index == events.count - 1 else { continue }
            try await pace()
            try await post(body, events[first...index], name)
            body.removeAll(keepingCapacity: true)
            first = index + 1
        }
    }

    private func pace() async throws {
        guard let rate else { return }
        try await Task.sleep(until: start + .seconds(Double(sentCount) / rate), clock: .continuous)
    }

    private mutating func post(_ body: [UInt8], _ events: ArraySlice<EventSource.Event>, _ name: String) async throws {
        var headers = [("content-type", "application/x-ndjson")]
        if let device { headers.append(("x-device-id", device)) }
        for _ in 0..<EventSender.maximumRetryCount {
            let response = try await client.request(
                "POST", AddressText.path(["streams", stream, "events"]), headers: headers, body: body)
            requestCount += 1
            if response.isSuccess {
                sentCount += events.count
                return
            }
            guard response.status == 429 || response.status == 503 else { throw located(response, events, name) }
            let seconds = response.header("retry-after").flatMap { Double($0) } ?? 1
            try await Task.sleep(for: .seconds(min(max(seconds, 0.05), 10)))
        }
        throw ClientError(
            "the instance is too busy and has refused \(EventSender.maximumRetryCount) times",
            hint: "send more slowly with --rate")
    }

    /// Adds the line of the source to a refusal.
    private func located(_ response: HTTPResponse, _ events: ArraySlice<EventSource.Event>, _ name: String)
        -> ClientError
    {
        var problem = response.problem
        guard response.status == 400, case .integer(let element)? = (try? JSONValue.parse(response.text))?["element"],
            element >= 0, element < events.count
        else { return problem }
        let event = events[events.startIndex + Int(element)]
        problem.message = "\(name), line \(event.line): \(problem.message)"
        return problem
    }
}
