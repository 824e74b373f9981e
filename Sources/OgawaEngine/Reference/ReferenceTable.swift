import OgawaCore
import Synchronization

/// One state of reference data.
package struct ReferenceVersion: Sendable {
    /// Rows with this event time or a later one read it, until the next version's.
    package var validFrom: Timestamp
    /// Rows as JSON objects, followed by ``EventBatch/paddingByteCount`` zero bytes.
    package var bytes: [UInt8]
    package var rows: [ByteSlice]

    package init(validFrom: Timestamp, bytes: [UInt8], rows: [ByteSlice]) {
        self.validFrom = validFrom
        self.bytes = bytes
        self.rows = rows
    }

    /// From JSON objects, one a row; for tests and cases.
    package init(validFrom: Timestamp = .min, json: [String]) {
        var bytes: [UInt8] = []
        var rows: [ByteSlice] = []
        for text in json {
            let start = bytes.count
            bytes.append(contentsOf: text.utf8)
            rows.append(ByteSlice(start: start, count: bytes.count - start))
            bytes.append(UInt8(ascii: "\n"))
        }
        bytes.append(contentsOf: repeatElement(0, count: EventBatch.paddingByteCount))
        self.init(validFrom: validFrom, bytes: bytes, rows: rows)
    }
}

/// Reference data with all their versions; functions on several threads may read them while a new version comes.
///
/// A row of a stream reads the version that is valid at its event time; before the first version's time it reads the first. A new
/// version becomes valid later than every time that was asked for before, so that a replay finds for each row what the live run found.
package final class ReferenceTable: Sendable {
    private struct State {
        var versions: [ReferenceVersion]
        /// The number of the first version in `versions`, among all that there ever were.
        var firstNumber = 0
        var greatestAsked: Int64
    }

    package let name: String
    private let noteAsked: @Sendable (Timestamp) throws -> Void
    private let state: Mutex<State>

    /// - Parameters:
    ///   - versions: at least one, in order of time.
    ///   - asked: the greatest time that was asked for before.
    ///   - noteAsked: is told each greater time before anybody reads for it, and may store it; readers wait meanwhile. Where it throws, nobody reads.
    package init(
        name: String, versions: [ReferenceVersion], asked: Timestamp? = nil,
        noteAsked: @escaping @Sendable (Timestamp) throws -> Void = { _ in }
    ) {
        self.name = name
        self.noteAsked = noteAsked
        state = Mutex(State(versions: versions, greatestAsked: asked?.ticks ?? .min))
    }

    /// How many versions are kept.
    package var versionCount: Int { state.withLock { $0.versions.count } }

    /// The newest version.
    package var newest: ReferenceVersion? { state.withLock { $0.versions.last } }

    /// Adds a version that becomes valid at `now`, or behind the greatest event time that was asked for where that is later.
    ///
    /// - Parameter record: stores the version with its final time before anybody reads it; readers wait meanwhile. Where it throws, the version is
    ///   not added.
    package func add(
        bytes: [UInt8], rows: [ByteSlice], now: Timestamp, record: (ReferenceVersion) throws -> Void = { _ in }
    ) throws {
        try state.withLock { state in
            var from = max(now.ticks, state.greatestAsked == .max ? .max : state.greatestAsked + 1)
            if let last = state.versions.last { from = max(from, last.validFrom.ticks + 1) }
            let version = ReferenceVersion(validFrom: Timestamp(ticks: from), bytes: bytes, rows: rows)
            try record(version)
            state.versions.append(version)
        }
    }

    /// Forgets versions that no event at or after a time reads; the newest stays.
    package func prune(before time: Timestamp) {
        state.withLock { state in
            // A version is read until the next one's time.
            let dead = zip(state.versions, state.versions.dropFirst()).prefix { $1.validFrom <= time }.count
            state.versions.removeFirst(dead)
            state.firstNumber += dead
        }
    }

    /// The kept versions from a number on, for somebody who will ask for times up to `time`, and the number behind the last.
    func versions(from known: Int, askingUpTo time: Int64) throws -> (fresh: ArraySlice<ReferenceVersion>, end: Int) {
        try state.withLock { state in
            if time > state.greatestAsked {
                try noteAsked(Timestamp(ticks: time))
                state.greatestAsked = time
            }
            return (
                state.versions.dropFirst(max(0, known - state.firstNumber)), state.firstNumber + state.versions.count
            )
        }
    }
}
