// The log: a folder with a lock, a folder per stream in it, and a folder per partition in that.
//
//     LOG/.lock                       the process that has it open
//     LOG/telemetry/partitions        how many partitions the stream has, written when all are made
//     LOG/telemetry/0/00000000000000000000.segment

import OgawaCore
import OgawaPlatform
import Synchronization

/// The durable log of one instance.
///
/// **Isolation.** Any thread or task. Must be closed: its threads keep it alive.
package final class Log: Sendable {
    private let directory: String
    private let clock: any WallClock
    private let fileSystem: any FileSystem
    private let lock: any FileLock
    private let state: Mutex<State>
    /// Held while a stream is made, so that two callers do not make the same.
    private let adding = Mutex(())

    private struct State {
        var streams: [LogStream] = []
        var notes: [String] = []
        var isClosed = false
    }

    private init(directory: String, clock: any WallClock, fileSystem: any FileSystem, lock: any FileLock) {
        self.directory = directory
        self.clock = clock
        self.fileSystem = fileSystem
        self.lock = lock
        state = Mutex(State())
    }

    /// Opens the log in a folder, made if missing, and recovers every stream.
    ///
    /// **Isolation.** Blocks on the disk.
    /// **Errors.** ``LogError``: `locked` with the holder's process, `badLayout`, `unsupportedVersion`, `diskFull`, `io`.
    package static func open(
        directory: String, streams: [StreamConfiguration], clock: any WallClock,
        fileSystem: any FileSystem = POSIXFileSystem()
    ) throws -> Log {
        let log: Log
        do {
            try fileSystem.createDirectory(directory)
            let lock = try fileSystem.lock(directory + "/.lock", holder: "process \(processIdentifier)")
            log = Log(directory: directory, clock: clock, fileSystem: fileSystem, lock: lock)
        } catch let error as FileSystemError where error.code == .locked {
            throw LogError(
                .locked, "log \(directory) is open in another instance (\(error.reason))",
                hint: "stop that instance, or choose another data folder")
        } catch {
            throw LogError.of(error, "log \(directory)")
        }
        do {
            for configuration in streams { try log.add(configuration) }
        } catch {
            log.close()
            throw error
        }
        return log
    }

    /// All streams, in the order in which they were added.
    package var streams: [LogStream] { state.withLock { $0.streams } }

    /// What was cut off, rebuilt or found damaged since the log was opened, as sentences for the operator.
    package var recoveryNotes: [String] { state.withLock { $0.notes } }

    /// The stream of a name.
    package func stream(_ name: String) -> LogStream? { state.withLock { $0.streams.first { $0.name == name } } }

    /// Opens or makes a stream.
    ///
    /// **Isolation.** Blocks on the disk.
    /// **Errors.** ``LogError`` as for opening; `badLayout` where the stream is open already or has another number of partitions.
    @discardableResult
    package func add(_ configuration: StreamConfiguration) throws -> LogStream {
        try adding.withLock { _ in
            let (exists, isClosed) = state.withLock { state in
                (state.streams.contains { $0.name == configuration.name }, state.isClosed)
            }
            if isClosed { throw LogError(.closed, "log \(directory): is closed") }
            if exists { throw LogError(.badLayout, "stream \(configuration.name) is open already") }
            let opening = StreamOpening(
                configuration: configuration, directory: directory + "/" + configuration.name, clock: clock,
                fileSystem: fileSystem)
            do {
                let (stream, notes) = try opening.run()
                state.withLock { state in
                    state.streams.append(stream)
                    state.notes += notes
                }
                return stream
            } catch {
                throw LogError.of(error, "stream \(configuration.name)")
            }
        }
    }

    /// Removes the segments that the streams' retention no longer wants; to be called now and then.
    ///
    /// **Isolation.** Blocks on the disk.
    package func enforceRetention() { enforceRetention(now: clock.now()) }

    /// Removes the segments that are too old at a time, and those that are too many.
    package func enforceRetention(now: Timestamp) {
        for stream in streams {
            for partition in stream.partitions {
                let notes = partition.enforceRetention(now: now)
                if !notes.isEmpty { state.withLock { $0.notes += notes } }
            }
        }
    }

    /// Writes and syncs what waits, ends all waiting, stops the threads and gives the lock up; more calls do nothing.
    ///
    /// **Isolation.** Blocks on the disk; not from a completion of an append.
    package func close() {
        let streams = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed ? [] : state.streams
        }
        for stream in streams {
            for partition in stream.partitions { partition.close() }
        }
        lock.unlock()
    }
}
