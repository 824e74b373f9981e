// Changes of a project's files as the system tells them (inotify): no polling, nothing done while nothing is saved.
//
// Editors save in several steps (write a new file, rename it over the old), so a change is told when no more has come for a moment.

import Ogawa
import OgawaPlatform
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Watches ogawa.yaml and functions/ of a project.
package final class FolderWatch: Sendable {
    /// Files that were saved, made or removed together.
    package struct Change: Sendable {
        package var names: Set<String>
    }

    /// The changes as they come; ends with ``stop()``.
    package let changes: AsyncStream<Change>
    private let stopPipe: Int32

    /// Longest wait for the end of a burst of changes.
    private static let quietMilliseconds: Int32 = 40

    /// Begins to watch.
    ///
    /// **Errors.** ``ProjectError`` where the system can't watch the folder.
    package init(_ directory: String) throws(ProjectError) {
        let (stream, continuation) = AsyncStream.makeStream(of: Change.self)
        changes = stream
        #if os(Linux)
            let descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
            var ends: [Int32] = [-1, -1]
            guard descriptor >= 0, pipe(&ends) == 0 else { throw FolderWatch.failure(directory) }
            stopPipe = ends[1]
            var watcher = InotifyWatcher(descriptor: descriptor, directory: directory)
            guard watcher.watch() else { throw FolderWatch.failure(directory) }
            let stopping = ends[0]
            let initial = watcher
            _ = DedicatedThread(name: "watch") {
                var watcher = initial
                while watcher.waitForChange(stopping: stopping) {
                    var names = watcher.take()
                    while watcher.isMoreToCome(within: FolderWatch.quietMilliseconds) {
                        names.formUnion(watcher.take())
                    }
                    if !names.isEmpty { continuation.yield(Change(names: names)) }
                }
                continuation.finish()
                watcher.close()
            }
        #else
            stopPipe = -1
            continuation.finish()
            throw ProjectError(
                code: "unwatchable", message: "watching files works on Linux only",
                hint: "use `ogawa run` and start it again")
        #endif
    }

    /// Ends ``changes``.
    package func stop() {
        var byte: UInt8 = 1
        _ = write(stopPipe, &byte, 1)
    }

    private static func failure(_ directory: String) -> ProjectError {
        ProjectError(
            code: "unwatchable", message: "can't watch \(directory): \(String(cString: strerror(errno)))",
            hint: "raise fs.inotify.max_user_watches or max_user_instances, or use `ogawa run`")
    }
}

#if os(Linux)
    /// One inotify descriptor over the project's folder and its functions folder.
    private struct InotifyWatcher: Sendable {
        let descriptor: Int32
        let directory: String
        private var functionsWatch: Int32 = -1

        init(descriptor: Int32, directory: String) {
            self.descriptor = descriptor
            self.directory = directory
        }

        private static let events: UInt32 = UInt32(
            IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR)

        mutating func watch() -> Bool {
            guard inotify_add_watch(descriptor, directory, InotifyWatcher.events) >= 0 else { return false }
            functionsWatch = inotify_add_watch(descriptor, TextFile.join(directory, "functions"), InotifyWatcher.events)
            return true
        }

        func close() { _ = Glibc.close(descriptor) }

        /// False when it is time to stop.
        func waitForChange(stopping: Int32) -> Bool {
            var waits = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stopping, events: Int16(POLLIN), revents: 0),
            ]
            while poll(&waits, 2, -1) < 0, errno == EINTR {}
            return waits[1].revents == 0
        }

        func isMoreToCome(within milliseconds: Int32) -> Bool {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&wait, 1, milliseconds) > 0
        }

        /// The names that matter among the events that are there now.
        mutating func take() -> Set<String> {
            var names: Set<String> = []
            var buffer = [UInt8](repeating: 0, count: 16_384)
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return names }
            var start = 0
            // An event is a watch, a mask, a cookie and a name's length, 4 bytes each, and the name filled up with zeros.
            while start + 16 <= count {
                let (watch, length) = buffer.withUnsafeBytes { bytes in
                    (
                        bytes.loadUnaligned(fromByteOffset: start, as: Int32.self),
                        Int(bytes.loadUnaligned(fromByteOffset: start + 12, as: UInt32.self))
                    )
                }
                guard start + 16 + length <= count else { break }
                let name = String(
                    decoding: buffer[(start + 16)..<(start + 16 + length)].prefix { $0 != 0 }, as: UTF8.self)
                start += 16 + length
                if let name = meaning(of: name, watch) { names.insert(name) }
            }
            return names
        }

        private mutating func meaning(of name: String, _ watch: Int32) -> String? {
            if watch == functionsWatch, functionsWatch >= 0 {
                let isLeaving =
                    name.hasPrefix(".") || name.hasPrefix("#") || name.hasSuffix("~") || name.hasSuffix(".new")
                return isLeaving ? nil : "functions/\(name)"
            }
            if name == Project.fileName { return name }
            guard name == "functions" else { return nil }
            functionsWatch = inotify_add_watch(descriptor, TextFile.join(directory, "functions"), InotifyWatcher.events)
            return name
        }
    }
#endif
