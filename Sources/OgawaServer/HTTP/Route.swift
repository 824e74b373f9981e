import HTTPTypes
import Hummingbird
import OgawaCore

/// What a path stands for.
enum Endpoint: Sendable, Equatable {
    case postEvents
    case postTelemetry
    case live
    case table
    case newestRows
    case status
    case devices
    case rejections
    case isAlive
    case isReady
    case console
    case consoleScript
    case consoleStyle
    case icon
}

/// One line of the route table; `{}` in the pattern takes any one segment.
struct Route: Sendable {
    let method: HTTPRequest.Method
    let pattern: String
    let endpoint: Endpoint
    private let segments: [Substring]

    private init(_ method: HTTPRequest.Method, _ pattern: String, _ endpoint: Endpoint) {
        self.method = method
        self.pattern = pattern
        self.endpoint = endpoint
        segments = pattern.split(separator: "/")
    }

    /// All routes; there are no others.
    static let all: [Route] = [
        Route(.post, "/streams/{}/events", .postEvents),
        Route(.post, "/devices/{}/telemetry", .postTelemetry),
        Route(.get, "/live/{}", .live),
        Route(.get, "/tables/{}", .table),
        Route(.get, "/tables/{}/newest", .newestRows),
        Route(.get, "/status", .status),
        Route(.get, "/devices", .devices),
        Route(.get, "/rejections", .rejections),
        Route(.get, "/livez", .isAlive),
        Route(.get, "/readyz", .isReady),
        Route(.get, "/", .console),
        Route(.get, "/console.js", .consoleScript),
        Route(.get, "/console.css", .consoleStyle),
        Route(.get, "/favicon.ico", .icon),
    ]

    /// The route of a request, and what stands in the place of each `{}`.
    static func find(_ method: HTTPRequest.Method, _ target: RequestTarget) throws(Problem) -> (Endpoint, [String]) {
        var allowed: [String] = []
        for route in all {
            guard let parameters = route.match(target.segments) else { continue }
            if route.method == method || (route.method == .get && method == .head) {
                return (route.endpoint, parameters)
            }
            allowed.append(route.method == .get ? "GET, HEAD" : route.method.rawValue)
        }
        guard allowed.isEmpty else {
            let allow = allowed.joined(separator: ", ")
            var problem = Problem(
                .methodNotAllowed, "method-not-allowed", "Method not allowed",
                "\(method.rawValue) is not possible on \(DeviceKey.shown(target.path.utf8))", expected: allow)
            problem.allow = allow
            throw problem
        }
        throw unknown(target)
    }

    private func match(_ target: [String]) -> [String]? {
        guard target.count == segments.count else { return nil }
        var parameters: [String] = []
        for (segment, found) in zip(segments, target) {
            if segment == "{}" {
                parameters.append(found)
            } else if segment != found {
                return nil
            }
        }
        return parameters
    }

    private static func unknown(_ target: RequestTarget) -> Problem {
        var problem = Problem(
            .notFound, "unknown-path", "Unknown path", "there is nothing at \(DeviceKey.shown(target.path.utf8))")
        // A known route is recognised by its fixed segments, with the given names in the places of `{}`.
        let candidates = all.map { route in
            "/"
                + zip(route.segments.indices, route.segments).map { index, segment in
                    segment == "{}" && target.segments.indices.contains(index)
                        ? target.segments[index] : String(segment)
                }.joined(separator: "/")
        }
        if let near = nearestName(to: target.path, in: candidates) {
            problem.hint = "did you mean \(DeviceKey.shown(near.utf8))?"
        } else {
            problem.hint = "the paths are listed in docs/http-api.md; GET / is the console"
        }
        return problem
    }
}
