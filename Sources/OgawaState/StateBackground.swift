import OgawaCore
import OgawaPlatform
import Synchronization

/// The store's own threads: one writes and syncs the journal and removes what has ended, one takes snapshots.
///
/// **Isolation.** Any thread.
final class StateBackground: Sendable {
    private typealias Completion = @Sendable (Result<Void, StateError>) -> Void

    private struct State {
        var completions: [Completion] = []
        var isStopped = false
        var journalThread: DedicatedThread?
        var snapshotThread: DedicatedThread?
    }

    private static let closed = StateError(.closed, "the state was closed")

    private let state = Mutex(State())
    private let isStopping = StopFlag()
    private let journalBell = Bell()
    private let snapshotBell = Bell()

    init(store: StateStore) {
        let journalThread = DedicatedThread(name: "state-journal") { [weak store, self] in
            while !self.isStopping.isSet.load(ordering: .acquiring) {
                self.journalBell.wait(timeout: .milliseconds(50))
                guard let store else { return }
                self.work(store)
            }
            // Who has asked before the end gets the answer of the disk.
            if let store { self.work(store) }
        }
        let snapshotThread = DedicatedThread(name: "state-snapshot") { [weak store, self] in
            while true {
                let isRung = self.snapshotBell.wait(timeout: .seconds(1))
                guard !self.isStopping.isSet.load(ordering: .acquiring), let store else { return }
                guard isRung else { continue }
                // A failure shows as a refusal of changes if it is the journal's, and as a growing journal if it is not.
                _ = try? store.takeSnapshot { self.isStopping.isSet.load(ordering: .acquiring) }
            }
        }
        state.withLock {
            $0.journalThread = journalThread
            $0.snapshotThread = snapshotThread
        }
    }

    /// Ends the threads; what waits for the disk is answered first.
    func stop() {
        isStopping.isSet.store(true, ordering: .releasing)
        journalBell.ring()
        snapshotBell.ring()
        let threads = state.withLock { state in
            defer {
                state.journalThread = nil
                state.snapshotThread = nil
            }
            return [state.journalThread, state.snapshotThread]
        }
        for thread in threads { thread?.join() }
        let rest = state.withLock { state in
            defer { state.completions = [] }
            state.isStopped = true
            return state.completions
        }
        for completion in rest { completion(.failure(StateBackground.closed)) }
    }

    func flush(_ completion: @escaping @Sendable (Result<Void, StateError>) -> Void) {
        let isWaiting = state.withLock { state in
            if !state.isStopped { state.completions.append(completion) }
            return !state.isStopped
        }
        if isWaiting { journalBell.ring() } else { completion(.failure(StateBackground.closed)) }
    }

    /// One round of the journal's thread.
    private func work(_ store: StateStore) {
        let completions = state.withLock { state in
            defer { state.completions = [] }
            return state.completions
        }
        let isDue = store.isSyncDue()
        let result: Result<Void, StateError> = Result {
            if let journal = store.journal { try journal.write(sync: !completions.isEmpty || isDue) }
        }.mapError { StateError.of($0, "state") }
        for completion in completions { completion(result) }
        store.removeEnded()
        if store.wantsSnapshot { snapshotBell.ring() }
    }
}

extension StateStore {
    /// Whether the second is over in which unsynced changes may stay in memory.
    fileprivate func isSyncDue() -> Bool {
        let now = clock.now().ticks
        return lock.withLock { _ in
            let last = space.state.pointee.lastSync
            guard now - last >= Timestamp.ticksPerSecond || now < last else { return false }
            space.state.pointee.lastSync = now
            return true
        }
    }

    /// Removes keys whose time is over and frees large deleted values, a little at a time.
    package func removeEnded() {
        for _ in 0..<25 {
            let removed = withSpace { space in
                space.freeSome()
                return space.removeEndedSlice()
            }
            if removed < 20 { break }
        }
        for _ in 0..<25 where lock.withLock({ _ in !space.graveyard.isEmpty }) {
            lock.withLock { _ in space.freeSome() }
        }
    }
}

extension KeySpace {
    /// Looks at some segments for keys whose time is over, and removes at most a few hundred; returns how many.
    func removeEndedSlice() -> Int {
        var ended: [Entry] = []
        for _ in 0..<64 {
            let database = state.pointee.expiryDatabase
            var isEmpty = true
            if tables[database].expiringCount > 0 {
                isEmpty = false
                let next = tables[database].visitExpiring(at: state.pointee.expiryPlace) {
                    if isOver($0) { ended.append($0) }
                }
                state.pointee.expiryPlace = next
            }
            if isEmpty || state.pointee.expiryPlace == 0 {
                state.pointee.expiryPlace = 0
                state.pointee.expiryDatabase = (database + 1) % KeySpace.databaseCount
            }
            for entry in ended { delete(database, entry) }
            state.pointee.expiredCount += ended.count
            if ended.count >= 200 { return ended.count }
            if !ended.isEmpty { state.pointee.recentlyEnded += ended.count }
            ended.removeAll(keepingCapacity: true)
        }
        defer { state.pointee.recentlyEnded = 0 }
        return state.pointee.recentlyEnded
    }
}
