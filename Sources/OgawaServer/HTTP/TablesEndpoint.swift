import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import OgawaCore
import OgawaStore

/// `GET /tables/{table}` and `GET /tables/{table}/newest`.
struct TablesEndpoint: Sendable {
    let backend: any ServerBackend
    let maxRows: Int

    func rows(_ request: Request, table: String, target: RequestTarget) async throws(Problem) -> Response {
        try target.allowQuery(["key", "from", "to", "limit", "order", "format"])
        let query = TableQuery(
            key: target.value("key"), from: try target.timestamp("from"), to: try target.timestamp("to"),
            limit: try target.number("limit", in: 1...maxRows, default: min(100, maxRows)),
            descending: try target.choice("order", ["asc", "desc"]) == "desc", newestOverAllKeys: false)
        return try await answer(request, table: table, query, format: try format(request, target))
    }

    func newest(_ request: Request, table: String, target: RequestTarget) async throws(Problem) -> Response {
        try target.allowQuery(["limit", "format"])
        let query = TableQuery(
            limit: try target.number("limit", in: 1...maxRows, default: min(20, maxRows)), descending: true,
            newestOverAllKeys: true)
        return try await answer(request, table: table, query, format: try format(request, target))
    }

    private enum Format {
        case json
        case csv
    }

    /// The parameter decides; without it the Accept header, where CSV must be asked for by name.
    private func format(_ request: Request, _ target: RequestTarget) throws(Problem) -> Format {
        if let word = try target.choice("format", ["json", "csv"]) { return word == "csv" ? .csv : .json }
        let accept = request.headers[.accept]?.lowercased() ?? ""
        return accept.contains("text/csv") && !accept.contains("application/json") ? .csv : .json
    }

    private func answer(
        _ request: Request, table: String, _ query: TableQuery, format: Format
    ) async throws(Problem) -> Response {
        let known = backend.tableNames
        guard known.contains(table) else { throw .notFound("table", table, type: "unknown-table", known: known) }
        let bytes: [UInt8]
        do {
            // A query reads the disk, which must not hold up the tasks that serve other clients.
            bytes = try await NIOThreadPool.singleton.runIfActive { [backend] in
                let rows = try backend.query(table: table, query)
                return format == .csv ? rows.csv() : rows.json()
            }
        } catch let error as StoreError {
            throw Problem(error)
        } catch {
            throw Problem(.internalServerError, "store", "The tables cannot be read", "\(error)")
        }
        let type = format == .csv ? "text/csv; charset=utf-8; header=present" : "application/json"
        return Response(
            status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
