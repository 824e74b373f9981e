import OgawaCore
import OgawaLog
import OgawaStore
import Synchronization

/// The outputs that INTO can name: the project's outputs, then its streams.
final class OutputRegistry: Sendable {
    /// One output with what stores its rows.
    struct Output: Sendable {
        enum Target: Sendable {
            case table(Table)
            case stream(LogStream, keyField: String)
        }

        let name: String
        let target: Target

        /// The column by which readers of the live feed choose rows.
        var keyColumn: String? {
            switch target {
            case .table(let table): table.configuration.key
            case .stream(_, let keyField): keyField
            }
        }

        func makeSink(producer: String, report: @escaping (String) -> Void) -> any OutputSink {
            switch target {
            case .table(let table): TableSink(table: table, producer: producer, report: report)
            case .stream(let stream, let keyField):
                StreamSink(stream: stream, keyField: keyField, producer: producer)
            }
        }
    }

    private struct State {
        var outputs: [Output] = []
        var rowCounts: [String: Int] = [:]
    }

    private let state = Mutex(State())

    /// The outputs in the order of the project; a stream that no output names stands behind them.
    var outputs: [Output] { state.withLock { $0.outputs } }

    /// Takes over the outputs of a project; counts go on.
    func update(_ project: Project, log: Log, store: TableStore) throws {
        var outputs: [Output] = []
        for settings in project.outputs {
            switch settings.kind {
            case .table(let table):
                let configuration = TableConfiguration(
                    name: settings.name, key: table.key, range: table.range, keep: table.keep)
                outputs.append(Output(name: settings.name, target: .table(try store.table(configuration))))
            case .stream(let name):
                outputs += try stream(name, as: settings.name, project, log).map { [$0] } ?? []
            }
        }
        for settings in project.streams {
            outputs += try stream(settings.name, as: settings.name, project, log).map { [$0] } ?? []
        }
        state.withLock { $0.outputs = outputs }
    }

    /// The output of a name, without regard to ASCII case.
    func output(_ name: String) -> Output? {
        let wanted = name.lowercased()
        return state.withLock { $0.outputs.first { $0.name.lowercased() == wanted } }
    }

    /// Adds stored rows to an output's count.
    func count(_ rows: Int, for name: String) { state.withLock { $0.rowCounts[name, default: 0] += rows } }

    /// Rows stored in an output since the start.
    func rowCount(_ name: String) -> Int { state.withLock { $0.rowCounts[name] ?? 0 } }

    private func stream(_ name: String, as output: String, _ project: Project, _ log: Log) throws -> Output? {
        guard let settings = project.stream(name), let stream = log.stream(settings.name) else { return nil }
        return Output(name: output, target: .stream(stream, keyField: settings.keyField))
    }
}
