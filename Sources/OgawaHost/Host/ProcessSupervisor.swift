import OgawaCore
import OgawaPlatform
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// One thread starts all processes, reads their output, watches their memory and takes them away when they end. It starts
// them because the system kills a child at the end of the thread that started it: this thread lives as long as the host, so no
// worker outlives Ogawa, not even after kill -9.

/// Starts and watches worker processes.
///
/// **Isolation.** Any thread; starting blocks until the supervisor's thread has done it.
final class ProcessSupervisor: Sendable {
    private final class Request: Sendable {
        let launch: Launch
        let bell = Bell()
        let result = Mutex<Result<SupervisedProcess, any Error>?>(nil)

        init(_ launch: Launch) { self.launch = launch }
    }

    private struct State {
        var requests: [Request] = []
        var isStopping = false
    }

    private static let busyTick = Duration.milliseconds(25)
    private static let idleTick = Duration.milliseconds(500)

    private let state = Mutex(State())
    private let wake: DescriptorPair
    private let isDrowsy = Atomic(false)
    private let sink: LogCapture.Sink
    private let thread = Mutex<DedicatedThread?>(nil)

    init(sink: @escaping LogCapture.Sink) throws {
        self.sink = sink
        wake = try makeOutputPipe()
        prepareHostEnd(wake.child)
        let thread = DedicatedThread(name: "function-host") { [self] in run() }
        self.thread.withLock { $0 = thread }
    }

    /// Starts a process.
    func start(_ launch: Launch) throws -> SupervisedProcess {
        let request = Request(launch)
        let isAccepted = state.withLock { state in
            guard !state.isStopping else { return false }
            state.requests.append(request)
            return true
        }
        guard isAccepted else { throw InvocationFailure(.stopped, "the function host is stopping") }
        poke()
        request.bell.wait()
        guard let result = request.result.withLock({ $0 }) else {
            throw InvocationFailure(.stopped, "the function host is stopping")
        }
        return try result.get()
    }

    /// A call begins: memory is looked at again soon.
    func noteActivity() {
        if isDrowsy.exchange(false, ordering: .relaxed) { poke() }
    }

    /// Kills what still runs, takes it away, and ends the thread.
    func stop() {
        state.withLock { $0.isStopping = true }
        poke()
        thread.withLock { thread in
            thread?.join()
            if thread != nil {
                closeDescriptor(wake.host)
                closeDescriptor(wake.child)
            }
            thread = nil
        }
    }

    private func poke() {
        var byte: UInt8 = 1
        _ = write(wake.child, &byte, 1)
    }

    private func run() {
        var processes: [SupervisedProcess] = []
        while true {
            let (requests, isStopping) = state.withLock { state in
                defer { state.requests = [] }
                return (state.requests, state.isStopping)
            }
            for request in requests {
                let result = Result { try launch(request.launch) }
                if case .success(let process) = result { processes.append(process) }
                request.result.withLock { $0 = result }
                request.bell.ring()
            }
            if isStopping {
                if processes.isEmpty { return }
                for process in processes { stop(process) }
            }
            watch(processes, isStopping: isStopping)
            processes.removeAll { $0.exit != nil }
        }
    }

    /// One round: sleeps until something happens or a tick is due, reads logs, looks at ends and memory.
    private func watch(_ processes: [SupervisedProcess], isStopping: Bool) {
        var polled = [pollfd(fd: wake.host, events: Int16(POLLIN), revents: 0)]
        var owners: [SupervisedProcess?] = [nil]
        var isBusy = isStopping
        for process in processes {
            let (open, isFlooded) = process.logs.descriptors
            isBusy = isBusy || isFlooded || process.isBusy.load(ordering: .relaxed) || process.exitDescriptor == nil
            for descriptor in (isFlooded ? [] : open) + (process.exitDescriptor.map { [$0] } ?? []) {
                polled.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
                owners.append(process)
            }
        }
        isDrowsy.store(!isBusy, ordering: .relaxed)
        let tick = isBusy ? ProcessSupervisor.busyTick : ProcessSupervisor.idleTick
        let timeout = processes.isEmpty ? -1 : pollMilliseconds(until: .now + tick)
        let ready = poll(&polled, nfds_t(polled.count), timeout)
        if ready > 0 {
            if polled[0].revents != 0 { drainWake() }
            for (entry, owner) in zip(polled, owners) where entry.revents != 0 && owner != nil {
                if entry.fd == owner?.exitDescriptor { owner?.reapIfEnded() } else { owner?.logs.read() }
            }
        }
        // What has no descriptor to wait on, is flooded or grows is looked at in every round; a round costs microseconds.
        for process in processes {
            if process.logs.descriptors.isFlooded { process.logs.read() }
            process.reapIfEnded()
            process.killIfOverdue()
            process.checkMemory()
        }
        if processes.contains(where: { $0.logs.descriptors.isFlooded }) {
            // Keeps the promise of the tick also where other processes wake this thread all the time.
            _ = poll(nil, 0, 5)
        }
    }

    /// A call under way ends at once, an idle process in peace.
    private func stop(_ process: SupervisedProcess) {
        if process.isBusy.load(ordering: .relaxed) {
            process.kill(InvocationFailure(.stopped, "the function host stopped"))
        } else {
            process.retire(within: .seconds(1))
        }
    }

    private func drainWake() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(wake.host, &bytes, bytes.count) > 0 {}
    }

    private func launch(_ launch: Launch) throws -> SupervisedProcess {
        var hostEnds: [Int32] = []
        var childEnds: [Int32] = []
        func keep(_ pair: DescriptorPair) -> DescriptorPair {
            hostEnds.append(pair.host)
            childEnds.append(pair.child)
            return pair
        }
        defer { for descriptor in childEnds { closeDescriptor(descriptor) } }
        do {
            let null = open("/dev/null", O_RDWR | O_CLOEXEC)
            guard null >= 0 else { throw SystemCallError("open /dev/null") }
            childEnds.append(null)
            let standardError = keep(try makeOutputPipe())
            let output = keep(try makeOutputPipe())
            var descriptors: [Int32?] = [null, output.child, standardError.child]
            var pipes: [(descriptor: Int32, origin: FunctionLogEntry.Origin)] = [
                (standardError.host, .standardError)
            ]
            var channel: Int32 = -1
            switch launch.channel {
            case .socket:
                let socket = keep(try makeSocketPair())
                let log = keep(try makeOutputPipe())
                channel = socket.host
                descriptors += [socket.child, log.child]
                pipes += [(output.host, .standardOutput), (log.host, .logger)]
            case .standardStreams:
                let input = keep(try makeInputPipe())
                channel = input.host
                descriptors[0] = input.child
                descriptors += [nil, nil]
            case .none:
                descriptors += [nil, nil]
                pipes += [(output.host, .standardOutput)]
            }
            let command = ChildCommand(
                path: launch.path, arguments: launch.arguments, environment: launch.environment,
                directory: launch.directory, descriptors: descriptors)
            let child = try ChildProcess(command)
            hostEnds = []
            var answers: Int32 = -1
            if case .standardStreams = launch.channel { answers = output.host }
            return SupervisedProcess(
                launch: launch, child: child, channel: channel, answers: answers,
                logs: LogCapture(program: launch.program, pipes: pipes, limits: launch.limits, sink: sink))
        } catch {
            for descriptor in hostEnds { closeDescriptor(descriptor) }
            throw error
        }
    }
}
