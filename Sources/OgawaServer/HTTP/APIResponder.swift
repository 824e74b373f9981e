import HTTPTypes
import Hummingbird
import NIOCore
import OgawaCore

/// Answers every request: rules, route, endpoint; whatever goes wrong becomes a problem document.
struct APIResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    private let rules: RequestRules
    private let backend: any ServerBackend
    private let events: EventsEndpoint
    private let tables: TablesEndpoint
    private let live: LiveEndpoint
    private let page = ConsolePage.standard

    init(configuration: HTTPListener.Configuration, gateway: Gateway, backend: any ServerBackend, feed: LiveFeed) {
        rules = RequestRules(isLoopback: configuration.isLoopback)
        self.backend = backend
        events = EventsEndpoint(gateway: gateway, requestTimeout: configuration.requestTimeout)
        tables = TablesEndpoint(backend: backend, maxRows: configuration.maxRows)
        live = LiveEndpoint(backend: backend, feed: feed, keepAliveInterval: configuration.keepAliveInterval)
    }

    func respond(to request: Request, context: Context) async throws -> Response {
        var response: Response
        do throws(Problem) {
            response = try await answer(request)
        } catch {
            response = error.response
        }
        harden(&response.headers)
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request) async throws(Problem) -> Response {
        try rules.check(request)
        let target = try RequestTarget(request.head.path ?? "/")
        let (endpoint, parameters) = try Route.find(request.method, target)
        let name = parameters.first ?? ""
        switch endpoint {
        case .postEvents: return try await events.post(request, stream: name, pathDevice: nil)
        case .postTelemetry: return try await events.post(request, stream: nil, pathDevice: name)
        case .live: return try live.stream(request, name: name, target: target)
        case .table: return try await tables.rows(request, table: name, target: target)
        case .newestRows: return try await tables.newest(request, table: name, target: target)
        case .status, .devices, .rejections: return try report(endpoint, target)
        case .isAlive: return health(true)
        case .isReady: return health(backend.isReady)
        case .console, .consoleScript, .consoleStyle, .icon: return page.response(endpoint)
        }
    }

    private func report(_ endpoint: Endpoint, _ target: RequestTarget) throws(Problem) -> Response {
        var writer = JSONWriter(reserving: 4096)
        switch endpoint {
        case .devices:
            try target.allowQuery(["limit"])
            let limit = try target.number("limit", in: 1...100_000, default: 1000)
            DevicesReport(devices: backend.devices(limit: limit)).write(to: &writer)
        case .rejections:
            try target.allowQuery(["limit"])
            let limit = try target.number("limit", in: 1...100_000, default: 100)
            backend.rejections(limit: limit).write(to: &writer)
        default:
            try target.allowQuery([])
            backend.status().write(to: &writer)
        }
        return json(.ok, writer)
    }

    private func health(_ isGood: Bool) -> Response {
        var writer = JSONWriter()
        writer.object { $0.member("status", isGood ? "ok" : "not ready") }
        return json(isGood ? .ok : .serviceUnavailable, writer)
    }

    private func json(_ status: HTTPResponse.Status, _ writer: JSONWriter) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: writer.bytes + [0x0a])))
    }
}
