import OgawaCore
import OgawaEngine
import OgawaPlatform
import OgawaStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Something to tell about reference data, in a line for people.
package struct ReferenceNote: Sendable, Hashable {
    package var text: String
    /// False where the source was read.
    package var isProblem: Bool
}

/// The reference data of a running project: opened at the start, read again when their sources change.
///
/// Every version is recorded with the time from which it is valid before any function reads it, so that a replay finds what the live run found. A source
/// that cannot be read leaves the newest version in place.
/// **Isolation.** Any thread; opening and polling block on the disk and take turns.
package final class ReferenceKeeper: Sendable {
    /// What tells without reading whether a file changed.
    private struct Stamp: Hashable {
        var seconds: Int
        var nanoseconds: Int
        var byteCount: Int64
        var inode: UInt64

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            #if canImport(Glibc)
                let time = status.st_mtim
            #else
                let time = status.st_mtimespec
            #endif
            (seconds, nanoseconds) = (time.tv_sec, time.tv_nsec)
            (byteCount, inode) = (Int64(status.st_size), UInt64(status.st_ino))
        }
    }

    private struct Entry {
        var settings: ReferenceSettings
        var table: ReferenceTable
        var history: ReferenceHistory
        var stamp: Stamp?
        var nextCheck: Timestamp
        var lastProblem: String?
    }

    private let clock: any WallClock
    private let folder: String
    private let openTable: @Sendable (String) throws -> Table?
    private let entries = Mutex<[Entry]>([])

    /// - Parameters:
    ///   - dataDirectory: the project's data folder; versions lie in `references/NAME` in it.
    ///   - table: gives the table of an output.
    package init(
        dataDirectory: String, clock: any WallClock, table: @escaping @Sendable (String) throws -> Table?
    ) {
        folder = dataDirectory + "/references"
        self.clock = clock
        openTable = table
    }

    /// The tables by name, for ``Pipeline/Configuration/references``.
    package var tables: [String: ReferenceTable] {
        entries.withLock { entries in
            Dictionary(entries.map { ($0.settings.name, $0.table) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// Takes over the reference data of a project; what is known goes on with its versions.
    ///
    /// - Returns: what could not be read although there are older versions.
    /// - Throws: where reference data cannot be read for the first time.
    package func update(_ all: [ReferenceSettings]) throws -> [ReferenceNote] {
        try entries.withLock { entries in
            var notes: [ReferenceNote] = []
            let known = entries
            entries = try all.map { settings in
                if var old = known.first(where: { $0.settings.name == settings.name }) {
                    if old.settings != settings {
                        old.settings = settings
                        old.stamp = nil
                        old.nextCheck = clock.now()
                    }
                    return old
                }
                return try open(settings, &notes)
            }
            return notes
        }
    }

    /// Ends the work: nothing is read any more.
    package func close() { entries.withLock { $0 = [] } }

    private func open(_ settings: ReferenceSettings, _ notes: inout [ReferenceNote]) throws -> Entry {
        let history = ReferenceHistory(folder: "\(folder)/\(settings.name)", files: POSIXFileSystem())
        let versions = try history.load()
        let asked = AskedTime(history, clock: clock, recorded: try history.loadAsked())
        func table(_ versions: [ReferenceVersion]) -> ReferenceTable {
            ReferenceTable(
                name: settings.name, versions: versions, asked: asked.recorded,
                noteAsked: { try asked.note($0) })
        }
        var entry = Entry(
            settings: settings, table: table(versions), history: history,
            nextCheck: clock.now().advanced(by: settings.every))
        guard versions.isEmpty else {
            entry.lastProblem = refresh(&entry)
            if let problem = entry.lastProblem { notes.append(ReferenceNote(text: problem, isProblem: true)) }
            return entry
        }
        entry.stamp = settings.path.flatMap(Stamp.init)
        // Without older versions every event reads the first, whatever its time.
        let first = try settings.load(table: openTable).version(from: .min)
        try history.record(first)
        entry.table = table([first])
        return entry
    }

    /// Whether a source is to be looked at; does not wait.
    package var isDue: Bool {
        let now = clock.now()
        return entries.withLockIfAvailable { $0.contains { $0.nextCheck <= now } } ?? false
    }

    /// Reads sources whose time has come and that changed.
    ///
    /// - Returns: what was read and what could not be; a problem is told once.
    package func poll() -> [ReferenceNote] {
        let now = clock.now()
        return entries.withLock { entries in
            var notes: [ReferenceNote] = []
            for index in entries.indices where entries[index].nextCheck <= now {
                entries[index].nextCheck = now.advanced(by: entries[index].settings.every)
                let count = entries[index].table.versionCount
                let problem = refresh(&entries[index])
                if let problem, problem != entries[index].lastProblem {
                    notes.append(ReferenceNote(text: problem, isProblem: true))
                }
                entries[index].lastProblem = problem
                if entries[index].table.versionCount > count, let newest = entries[index].table.newest {
                    let name = entries[index].settings.name
                    let text = "reference data '\(name)': \(newest.rows.count) rows, valid from \(newest.validFrom)"
                    notes.append(ReferenceNote(text: text, isProblem: false))
                }
            }
            return notes
        }
    }

    /// Adds a version where the source changed; gives what went wrong.
    private func refresh(_ entry: inout Entry) -> String? {
        let stamp = entry.settings.path.flatMap(Stamp.init)
        if let stamp, stamp == entry.stamp { return entry.lastProblem }
        do {
            let content = try entry.settings.load(table: openTable)
            // A file that is being written meanwhile is read again at the next look.
            guard entry.settings.path.flatMap(Stamp.init) == stamp else { return nil }
            entry.stamp = stamp
            if let newest = entry.table.newest, content.isSame(as: newest) { return nil }
            try entry.table.add(
                bytes: content.paddedBytes, rows: content.rows, now: clock.now(), record: entry.history.record)
            return nil
        } catch {
            entry.stamp = stamp
            return "reference data '\(entry.settings.name)' stay as they were: \(error)"
        }
    }

    /// Whether there is a version beside the newest of some reference data.
    package var hasOldVersions: Bool { entries.withLock { $0.contains { $0.table.versionCount > 1 } } }

    /// Removes versions that no event at or after a time reads.
    ///
    /// - Returns: what could not be removed from the disk.
    package func prune(before time: Timestamp) -> [ReferenceNote] {
        entries.withLock { entries in
            entries.compactMap { entry in
                entry.table.prune(before: time)
                do {
                    _ = try entry.history.prune(before: time)
                    return nil
                } catch {
                    let text = "old versions of the reference data '\(entry.settings.name)' stay: \(error)"
                    return ReferenceNote(text: text, isProblem: true)
                }
            }
        }
    }
}

/// Remembers over a restart the greatest time that reference data were asked for.
///
/// A version that comes after a restart is valid from the clock's time or a later one; so only times ahead of the clock are stored, and of
/// these one a second.
private final class AskedTime: Sendable {
    private static let step = Duration.seconds(1)
    private let history: ReferenceHistory
    private let clock: any WallClock
    private let state: Mutex<Timestamp?>

    init(_ history: ReferenceHistory, clock: any WallClock, recorded: Timestamp?) {
        self.history = history
        self.clock = clock
        state = Mutex(recorded)
    }

    var recorded: Timestamp? { state.withLock { $0 } }

    func note(_ time: Timestamp) throws {
        guard time > clock.now() else { return }
        try state.withLock { recorded in
            if let recorded, time <= recorded { return }
            let ahead = time.advanced(by: AskedTime.step)
            try history.record(asked: ahead)
            recorded = ahead
        }
    }
}

extension ReferenceSettings {
    /// The file behind the source, whose change can be seen.
    fileprivate var path: String? {
        switch source {
        case .file(let path): path
        // A write-ahead log changes the data without the file.
        case .sqlite, .output: nil
        }
    }
}
