import OgawaCore
import OgawaState
import OgawaTesting
import Synchronization
import Testing

/// The kinds of state, which must behave the same.
enum BackendKind: CaseIterable, Sendable {
    case memory
    case disk
    case redis
}

@Suite(.serialized) struct BackendTests {
    static let kinds = BackendKind.allCases.filter { $0 != .redis || RedisServer.isInstalled }

    private func with(_ kind: BackendKind, _ body: (any StateBackend) throws -> Void) throws {
        switch kind {
        case .memory: try body(StateStore(options: .manual, seed: 1))
        case .disk:
            let store = try TestBench().open()
            try body(store)
            try store.close()
        case .redis:
            let server = try RedisServer()
            defer { server.stop() }
            try body(RedisState(server.address))
        }
    }

    private func time(_ milliseconds: Int64) -> Timestamp {
        Timestamp(ticks: milliseconds * Timestamp.ticksPerMillisecond)
    }

    private func commit(
        _ changes: [StateChange], _ progress: String?, _ lease: StateLease, part: String = "0", now: Int64 = 1000
    ) -> StateCommit {
        StateCommit(
            function: "sum", part: part, changes: changes, progress: progress.map { Array($0.utf8) },
            epoch: lease.epoch, now: time(now))
    }

    private func set(_ key: String, _ value: String, until: Int64? = nil) -> StateChange {
        StateChange(key: key, value: Array(value.utf8), expiry: until.map { time($0) })
    }

    private func load(_ backend: any StateBackend, _ keys: [String], now: Int64 = 1000) throws -> [String?] {
        try backend.load(function: "sum", keys: keys, now: time(now)).map { value in
            value.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    private func code(_ body: () throws -> Void) -> StateError.Code? {
        do {
            try body()
            return nil
        } catch { return (error as? StateError)?.code }
    }

    @Test(arguments: kinds)
    func `changes and progress of a commit are there together`(kind: BackendKind) throws {
        try with(kind) { backend in
            let lease = try backend.acquire(function: "sum", part: "0")
            #expect(lease == StateLease(epoch: 1, progress: nil))
            #expect(try load(backend, ["a", "b"]) == [nil, nil])
            try backend.commit(commit([set("a", "1"), set("b", "")], "offset 7", lease))
            #expect(try load(backend, ["b", "nothing", "a", "a"]) == ["", nil, "1", "1"])
            try backend.commit(commit([StateChange(key: "a", value: nil), set("c", "ü\0\r\n")], nil, lease))
            #expect(try load(backend, ["a", "b", "c"]) == [nil, "", "ü\0\r\n"])
            let next = try backend.acquire(function: "sum", part: "0")
            #expect(next == StateLease(epoch: 2, progress: Array("offset 7".utf8)))
            #expect(try backend.acquire(function: "sum", part: "1") == StateLease(epoch: 1, progress: nil))
            #expect(try backend.acquire(function: "other", part: "0").progress == nil)
        }
    }

    @Test(arguments: kinds)
    func `a worker that was replaced changes nothing`(kind: BackendKind) throws {
        try with(kind) { backend in
            let old = try backend.acquire(function: "sum", part: "0")
            try backend.commit(commit([set("a", "old")], "1", old))
            let new = try backend.acquire(function: "sum", part: "0")
            #expect(code { try backend.commit(commit([set("a", "late")], "2", old)) } == .fenced)
            #expect(try load(backend, ["a"]) == ["old"])
            try backend.commit(commit([set("a", "new")], "2", new))
            #expect(code { try backend.commit(commit([], "3", old)) } == .fenced)
            #expect(try load(backend, ["a"]) == ["new"])
            #expect(try backend.acquire(function: "sum", part: "0").progress == Array("2".utf8))
        }
    }

    @Test(arguments: kinds)
    func `a commit made twice is the same as once`(kind: BackendKind) throws {
        try with(kind) { backend in
            let lease = try backend.acquire(function: "sum", part: "0")
            let work = commit([set("a", "1", until: 5000), StateChange(key: "b", value: nil)], "1", lease)
            try backend.commit(work)
            let before = try backend.entries(function: "sum", now: time(1000))
            try backend.commit(work)
            #expect(try backend.entries(function: "sum", now: time(1000)) == before)
        }
    }

    @Test(arguments: kinds)
    func `a key ends at its time by the caller's clock, and a new value without one stays`(kind: BackendKind) throws {
        try with(kind) { backend in
            let lease = try backend.acquire(function: "sum", part: "0")
            try backend.commit(
                commit([set("a", "1", until: 2000), set("b", "2", until: 2000), set("c", "3")], nil, lease))
            #expect(try load(backend, ["a", "b", "c"], now: 1999) == ["1", "2", "3"])
            #expect(try load(backend, ["a", "b", "c"], now: 2000) == [nil, nil, "3"])
            // Asked with an earlier time it is still there: a replay sees what was.
            #expect(try load(backend, ["a"], now: 1000) == ["1"])
            try backend.commit(commit([set("b", "4")], nil, lease, now: 1500))
            #expect(try load(backend, ["a", "b"], now: 9000) == [nil, "4"])
            try backend.commit(commit([set("a", "5")], nil, lease, now: 9000))
            #expect(try load(backend, ["a", "b", "c"], now: 99_000) == ["5", "4", "3"])
            #expect(try backend.entries(function: "sum", now: time(99_000)).count == 3)
        }
    }

    @Test(arguments: kinds)
    func `ended keys are removed beside the work`(kind: BackendKind) throws {
        try with(kind) { backend in
            let lease = try backend.acquire(function: "sum", part: "0")
            try backend.commit(commit((0..<250).map { set("k\($0)", "v", until: 2000) }, nil, lease))
            for _ in 0..<3 { try backend.commit(commit([], "1", lease, now: 3000)) }
            // Even by an earlier time: they are really gone.
            #expect(try backend.entries(function: "sum", now: time(0)).isEmpty)
        }
    }

    @Test(arguments: kinds)
    func `what is too large is refused by name and nothing of it is stored`(kind: BackendKind) throws {
        try with(kind) { backend in
            let lease = try backend.acquire(function: "sum", part: "0")
            let large = StateChange(key: "big", value: [UInt8](repeating: 1, count: 1 << 20 + 1))
            #expect(code { try backend.commit(commit([set("a", "1"), large], "1", lease)) } == .tooLarge)
            let long = set(String(repeating: "k", count: 1025), "1")
            #expect(code { try backend.commit(commit([long], "1", lease)) } == .tooLarge)
            #expect(try load(backend, ["a"]) == [nil])
            #expect(try backend.acquire(function: "sum", part: "0").progress == nil)
            #expect(code { _ = try backend.acquire(function: "ogawa:x", part: "0") } == .refused)
        }
    }

    @Test(arguments: kinds)
    func `random commits leave what a dictionary would`(kind: BackendKind) throws {
        try with(kind) { backend in
            var random = RandomCommands(seed: 11)
            var model: [String: (value: String, end: Int64?)] = [:]
            let lease = try backend.acquire(function: "sum", part: "0")
            var now: Int64 = 1000
            for round in 0..<150 {
                now += Int64(random.below(100))
                var changes: [StateChange] = []
                for _ in 0..<random.below(8) {
                    let key = "k\(random.below(20))"
                    if random.below(4) == 0 {
                        changes.append(StateChange(key: key, value: nil))
                        model[key] = nil
                    } else {
                        let end: Int64? = random.below(2) == 0 ? now + Int64(random.below(400)) : nil
                        changes.append(set(key, "\(round)", until: end))
                        model[key] = ("\(round)", end)
                    }
                }
                try backend.commit(commit(changes, "\(round)", lease, now: now))
                let keys = (0..<20).map { "k\($0)" }
                let expected = keys.map { key in
                    model[key].flatMap { $0.end.map { $0 <= now } == true ? nil : $0.value }
                }
                #expect(try load(backend, keys, now: now) == expected, "round \(round)")
            }
        }
    }

    @Test func `the state of a function is a hash for Redis clients`() throws {
        let store = StateStore(options: .manual, seed: 1)
        let lease = try store.acquire(function: "sum", part: "0")
        try store.commit(commit([set("pump-1", "{\"n\":3}")], "17", lease))
        let client = store.makeClient()
        #expect(client.run("HGETALL", "sum") == "*2\r\n$6\r\npump-1\r\n$7\r\n{\"n\":3}\r\n")
        #expect(client.run("HGET", "ogawa:progress:sum", "0:progress") == "$2\r\n17\r\n")
        #expect(client.run("SET", "sum", "x") == "+OK\r\n")
        #expect(code { _ = try store.load(function: "sum", keys: ["a"], now: time(0)) } == .wrongType)
        #expect(code { try store.commit(commit([set("a", "1")], "18", lease)) } == .wrongType)
        #expect(client.run("HGET", "ogawa:progress:sum", "0:progress") == "$2\r\n17\r\n")
    }

    @Test func `a full memory refuses values and takes deletions`() throws {
        var options = StateOptions.manual
        options.memoryLimit = 200_000
        let store = StateStore(options: options, seed: 1)
        let lease = try store.acquire(function: "sum", part: "0")
        for number in 0..<100 {
            let refusal = code {
                try store.commit(commit([set("k\(number)", String(repeating: "x", count: 4000))], nil, lease))
            }
            if let refusal {
                #expect(refusal == .outOfMemory && number > 20)
                break
            }
            #expect(number < 90)
        }
        try store.commit(commit((0..<100).map { StateChange(key: "k\($0)", value: nil) }, nil, lease))
        try store.commit(commit([set("a", "1")], nil, lease))
    }

    @Test func `a flush calls back when the disk has it`() throws {
        let bench = TestBench()
        let store = try StateStore.open(
            directory: TestBench.directory, fileSystem: bench.fileSystem, clock: bench.clock, seed: 9)
        let lease = try store.acquire(function: "sum", part: "0")
        let answers = Mutex(0)
        for round in 0..<50 {
            try store.commit(commit([set("a", "\(round)")], "\(round)", lease))
            store.flush { result in
                if case .success = result { answers.withLock { $0 += 1 } }
            }
        }
        try store.flush()
        try store.close()
        #expect(answers.withLock { $0 } >= 1)
        bench.fileSystem.restart(keeping: .nothing)
        let again = try bench.open()
        #expect(try load(again, ["a"]) == ["49"])
        try again.close()
    }

    // MARK: A Redis that goes away

    @Test(.enabled(if: RedisServer.isInstalled))
    func `a Redis that goes and comes back costs time and nothing else`() throws {
        let server = try RedisServer()
        defer { server.stop() }
        let notes = Mutex<[String]>([])
        let backend = RedisState(try server.address, patience: .milliseconds(150)) { note in
            notes.withLock { $0.append(note) }
        }
        let lease = try backend.acquire(function: "sum", part: "0")
        try backend.commit(commit([set("a", "1")], "1", lease))
        server.stop()
        #expect(code { try backend.commit(commit([set("a", "2")], "2", lease)) } == .unavailable)
        #expect(code { _ = try load(backend, ["a"]) } == .unavailable)
        try server.start()
        // This server kept nothing on disk; the script and the epoch are unknown to it, and the commit still works.
        try backend.commit(commit([set("a", "2")], "2", lease))
        #expect(try load(backend, ["a"]) == ["2"])
        #expect(notes.withLock { $0.count } == 2 && notes.withLock { $0.last?.hasSuffix("is back") } == true)
    }

    @Test func `an address is read or refused with a reason`() throws {
        let full = try RedisAddress("redis://me:secret@example.org:7000/3")
        #expect(full.user == "me" && full.password == "secret" && full.database == 3)
        #expect(full.socket == .tcp(host: "example.org", port: 7000))
        #expect(!"\(full)".contains("secret"))
        #expect(try RedisAddress("redis://localhost").socket == .tcp(host: "localhost", port: 6379))
        #expect(try RedisAddress("redis://[::1]:7000").socket == .tcp(host: "::1", port: 7000))
        for bad in ["http://a", "redis://", "redis://a:b", "redis://a/x", "rediss://a", "redis://a:99999"] {
            #expect(code { _ = try RedisAddress(bad) } == .refused, "\(bad)")
        }
    }
}
