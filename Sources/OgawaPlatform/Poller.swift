import COgawaPlatform

/// Waits for sockets: epoll on Linux, kqueue elsewhere.
///
/// **Isolation.** One thread.
package final class Poller {
    /// What happened to a socket; a broken one is readable and writable.
    package struct Event {
        package var descriptor: Int32
        package var isReadable: Bool
        package var isWritable: Bool
    }

    private let poller = opf_poller_create()
    private let events = UnsafeMutablePointer<opf_poll_event>.allocate(capacity: OPF_POLL_EVENTS)

    package init() {}

    deinit {
        opf_poller_destroy(poller)
        events.deallocate()
    }

    /// Waits for bytes of a socket from now on; false where the system refuses.
    @discardableResult
    package func add(_ descriptor: Int32) -> Bool { opf_poller_add(poller, descriptor) == 0 }

    /// Waits for room in a socket, or no longer.
    package func wantWriting(_ descriptor: Int32, _ wants: Bool) { opf_poller_want_writing(poller, descriptor, wants) }

    /// Forgets a socket.
    package func remove(_ descriptor: Int32) { opf_poller_remove(poller, descriptor) }

    /// Waits; returns how many events can be asked for by index.
    ///
    /// A negative time waits for ever.
    package func wait(milliseconds: Int32) -> Int {
        Int(opf_poller_wait(poller, events, Int32(OPF_POLL_EVENTS), milliseconds))
    }

    /// An event of the last wait.
    package subscript(_ index: Int) -> Event {
        let event = events[index]
        return Event(
            descriptor: event.descriptor, isReadable: event.is_readable, isWritable: event.is_writable)
    }
}
