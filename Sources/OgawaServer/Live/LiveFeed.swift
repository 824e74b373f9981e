import Synchronization

/// Broadcasts new rows in memory to whoever watches: the console, `ogawa tail`.
///
/// **Isolation.** From any thread. A publisher never waits: each reader has a bounded queue and loses frames, counted, when
/// it is slow. Not for delivery: what must arrive is read from the log or a table.
package final class LiveFeed: Sendable {
    private let readers = Mutex<[String: [LiveSubscription]]>([:])
    private let limits: LiveLimits

    package init(limits: LiveLimits = LiveLimits()) { self.limits = limits }

    /// Whether anyone watches; where not, publishers spare themselves the JSON.
    package func hasSubscribers(_ name: String) -> Bool {
        readers.withLock { $0[name] != nil }
    }

    /// The number of readers over all names.
    package var subscriberCount: Int {
        readers.withLock { $0.values.reduce(0) { $0 + $1.count } }
    }

    /// Gives a frame to every reader of a name.
    package func publish(_ name: String, lines: LiveFrame) {
        let subscriptions = readers.withLock { $0[name] }
        for subscription in subscriptions ?? [] { subscription.offer(lines) }
    }

    /// Starts watching; ends with ``LiveSubscription/cancel()`` or when the task that reads is cancelled.
    ///
    /// - Parameter key: only rows of this key; nil for all.
    package func subscribe(_ name: String, key: String? = nil) -> LiveSubscription {
        let subscription = LiveSubscription(name: name, key: key, limits: limits) { [weak self] in self?.remove($0) }
        readers.withLock { $0[name, default: []].append(subscription) }
        return subscription
    }

    private func remove(_ subscription: LiveSubscription) {
        readers.withLock { readers in
            readers[subscription.name]?.removeAll { $0 === subscription }
            if readers[subscription.name]?.isEmpty == true { readers[subscription.name] = nil }
        }
    }
}

/// How much a reader of a live feed may lag behind.
package struct LiveLimits: Sendable {
    /// Frames that wait for one reader; when full, the oldest is lost.
    package var frameCount = 256
    /// Bytes that wait for one reader; when full, the oldest frames are lost.
    package var byteCount = 4 << 20

    package init() {}
}
