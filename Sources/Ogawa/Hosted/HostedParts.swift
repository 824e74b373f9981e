import Logging
import OgawaCore
import OgawaHost
import OgawaLog
import OgawaPlatform
import OgawaState

/// What an instance starts for functions that are not SQL: worker processes, their state, and its Redis door.
struct HostedParts {
    /// nil where the project has no such functions.
    let surroundings: HostedSurroundings?
    let redis: StateServer?

    init(_ project: Project, log: Log, outputs: OutputRegistry, instance: Instance) throws {
        guard !project.hosted.isEmpty || project.listen.redis != nil else {
            (surroundings, redis) = (nil, nil)
            return
        }
        let logger = instance.options.logger
        let state = try StateStore.open(
            directory: project.dataDirectory + "/state", fileSystem: POSIXFileSystem(), clock: instance.clock,
            seed: UInt64.random(in: .min ... .max))
        for note in state.recoveryNotes { logger.warning("\(note)") }
        let rejections = instance.rejections
        let configuration = FunctionHostConfiguration(
            workDirectory: TextFile.absolute(project.dataDirectory) + "/workers")
        let host = try FunctionHost(configuration) { entry in
            let name = entry.function ?? entry.program
            logger.log(level: entry.level.logger, "\(name): \(entry.message)")
            if entry.level == .error || entry.level == .warning {
                rejections.append(kind: .error, stream: nil, function: name, device: nil, reason: entry.message)
            }
        }
        redis = try project.listen.redis.map { address in
            try StateServer(store: state, address: .tcp(host: address.host, port: address.port)) {
                logger.warning("redis: \($0)")
            }
        }
        surroundings = HostedSurroundings(
            host: host, state: state, store: state, log: log, outputs: outputs, feed: instance.feed,
            rejections: rejections, clock: instance.clock)
    }
}

extension FunctionLogEntry.Level {
    fileprivate var logger: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}
