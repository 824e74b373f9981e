import OgawaCore
import OgawaHost
import OgawaPlatform
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a bad function may do to others: nothing.
@Suite(.enabled(if: HostFixture.has("node"), "node is not installed"))
struct NodeHarmTests {
    /// A function that goes wrong as its first event says.
    private static let bad = """
        let calls = 0;
        module.exports = async ([event], context) => {
            calls += 1;
            switch (event.body) {
                case 'throw': throw new TypeError('no such sensor');
                case 'text': throw 'only a text';
                case 'hang': for (;;) {}
                case 'wait': await new Promise(() => setInterval(() => {}, 1000));
                case 'exit': process.exit(3);
                case 'kill': process.kill(process.pid, 'SIGKILL');
                case 'later': setTimeout(() => { throw new Error('too late'); }, 1); await new Promise(() => {});
                case 'reject': Promise.reject(new Error('nobody cares')); await new Promise(() => {});
                case 'heap': { const all = []; for (;;) all.push(new Array(10000).fill(calls)); }
                case 'buffers': { const all = []; for (;;) { all.push(Buffer.alloc(1 << 24, 1)); await null; } }
                case 'circular': { const a = {}; a.a = a; return [a]; }
                case 'bigint': return [1n];
                case 'function': return [() => 1];
                case 'huge': return 'x'.repeat(3 << 20);
                case 'flood': for (let i = 0; i < 20000; i++) console.log('line ' + i + ' ' + 'x'.repeat(80)); return ['done'];
                case 'raw': for (let i = 0; i < 2000; i++) process.stdout.write('y'.repeat(20000)); return ['done'];
                default: return [process.pid, calls];
            }
        };
        """

    private func fixture() throws -> HostFixture {
        let fixture = try HostFixture()
        try fixture.add(NodeHarmTests.bad) {
            $0.limits.timeout = .seconds(10)
            $0.limits.memoryByteCount = 200 << 20
            $0.limits.responseByteCount = 1 << 20
        }
        return fixture
    }

    @Test func `a thrown error comes back with type and stack, and the worker goes on`() throws {
        let fixture = try fixture()
        let first = try fixture.call(["0"]).rows(of: "$return")
        let failure = try fixture.failure(["throw"])
        #expect(failure.kind == .threw && failure.type == "TypeError" && failure.message == "no such sensor")
        #expect(failure.stack?.contains("f.js:5") == true, "\(failure.stack ?? "")")
        #expect(try fixture.failure(["text"]).message == "only a text")
        #expect(try fixture.call(["0"]).rows(of: "$return")[0] == first[0])
    }

    @Test(arguments: ["hang", "wait"])
    func `a function that never ends is stopped, and the next call has a new worker`(how: String) throws {
        let fixture = try HostFixture()
        try fixture.add(NodeHarmTests.bad) { $0.limits.timeout = .milliseconds(400) }
        let process = try fixture.call(["0"]).rows(of: "$return")[0]
        let start = ContinuousClock.now
        let failure = try fixture.failure([how])
        #expect(failure.kind == .timedOut && failure.message.contains("timeout"))
        #expect(start.duration(to: .now) < .seconds(10))
        #expect(try fixture.call(["0"]).rows(of: "$return")[0] != process)
        #expect(isGone(process))
    }

    @Test(arguments: [
        ("exit", "exit code 3"), ("kill", "signal 9"),
    ])
    func `an end of the process is told, and leaves no zombie`(how: String, reason: String) throws {
        let fixture = try fixture()
        let process = try fixture.call(["0"]).rows(of: "$return")[0]
        let failure = try fixture.failure([how])
        #expect(failure.kind == .exited && failure.message.contains(reason), "\(failure)")
        #expect(isGone(process))
        #expect(try fixture.call(["0"]).rows(of: "$return")[1] == "1")
    }

    @Test(arguments: [("later", "too late"), ("reject", "nobody cares")])
    func `an error that nobody caught fails the call with its message`(how: String, message: String) throws {
        let failure = try fixture().failure([how])
        #expect(failure.kind == .threw && failure.message == message)
        #expect(failure.stack != nil)
    }

    @Test(arguments: ["heap", "buffers"])
    func `a function that eats memory is stopped before it hurts others`(how: String) throws {
        let fixture = try fixture()
        let failure = try fixture.failure([how])
        #expect(failure.kind == .memory, "\(failure)")
        #expect(failure.message.contains("200 MiB"))
        #expect(try fixture.call(["0"]).rows(of: "$return")[1] == "1")
    }

    @Test(arguments: [("circular", "circular"), ("bigint", "BigInt"), ("function", "function")])
    func `rubbish for a result is an error of the function`(how: String, word: String) throws {
        let failure = try fixture().failure([how])
        #expect(failure.kind == .threw && failure.message.contains(word), "\(failure)")
    }

    @Test func `an answer that is too large is refused`() throws {
        let fixture = try fixture()
        let failure = try fixture.failure(["huge"])
        #expect(failure.kind == .rubbish && failure.message.contains("maxResponse"), "\(failure)")
        #expect(try fixture.call(["0"]).rows(of: "$return")[1] == "1")
    }

    @Test func `a flood of lines is cut, counted and told`() throws {
        let fixture = try HostFixture()
        try fixture.add(NodeHarmTests.bad) { $0.limits.logLineCount = 100 }
        #expect(try fixture.call(["flood"]).rows(of: "$return") == ["done"])
        let log = fixture.log
        #expect(log.count == 101)
        #expect(log.last?.message.hasPrefix("19900 lines were dropped") == true, "\(log.last?.message ?? "")")
        #expect(try fixture.call(["0"]).rows(of: "$return")[1] == "2")
    }

    @Test func `a line without an end costs no memory`() throws {
        let fixture = try fixture()
        #expect(try fixture.call(["raw"]).rows(of: "$return") == ["done"])
        #expect(fixture.log.allSatisfy { $0.message.utf8.count < 9_000 })
        #expect(fixture.log.count < 5)
    }

    @Test(arguments: [
        ("module.exports = (", "SyntaxError"), ("throw new Error('not today');", "not today"),
        ("module.exports = 5;", "exports no function"), ("require('./absent')", "absent"),
    ])
    func `code that does not load is told as such`(text: String, word: String) throws {
        let fixture = try HostFixture()
        try fixture.add(text)
        let failure = try fixture.failure()
        #expect(failure.kind == .initialization && !failure.mayBeCausedByEvents)
        #expect("\(failure)\(failure.stack ?? "")".contains(word), "\(failure)")
    }

    @Test func `a runtime that is missing is named`() throws {
        let fixture = try HostFixture()
        try fixture.add("x", runtime: .command(["no-such-program"]))
        let failure = try fixture.failure()
        #expect(failure.kind == .unavailable && failure.message.contains("no-such-program is not installed"))
    }

    @Test func `a program that speaks no protocol is told apart from one that ends`() throws {
        let fixture = try HostFixture()
        try fixture.add("x", runtime: .command(["sh", "-c", "printf rubbishrubbishrubbish >&3; sleep 5"]))
        #expect(try fixture.failure().kind == .initialization)
        try fixture.add("x", runtime: .command(["sh", "-c", "echo oh no >&2; exit 7"]))
        let failure = try fixture.failure()
        #expect(failure.message.contains("exit code 7") && failure.stack?.contains("oh no") == true, "\(failure)")
    }

    @Test func `what a worker started ends with it`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            """
            const child = require('node:child_process').spawn('sleep', ['1000'], { stdio: 'ignore' });
            module.exports = ([event]) => { if (event.body) process.exit(1); return child.pid; };
            """)
        let grandchild = try fixture.call(["0"]).rows(of: "$return")[0]
        _ = try fixture.failure(["1"])
        #expect(isGone(grandchild))
    }

    @Test func `several workers run calls at the same time`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            "module.exports = async () => { await new Promise((go) => setTimeout(go, 300)); return process.pid; };"
        ) { $0.limits.workerCount = 2 }
        let pids = Shared<Set<String>>([])
        let threads = (0..<4).map { _ in
            DedicatedThread(name: "caller") {
                let rows = (try? fixture.call(["1"]))?.rows(of: "$return") ?? ["failed"]
                pids.change { $0.formUnion(rows) }
            }
        }
        for thread in threads { thread.join() }
        #expect(pids.value.count == 2 && !pids.value.contains("failed"))
        #expect(fixture.host.workers(of: "f").starts == 2)
    }

    @Test func `stopping the host ends calls and workers at once`() throws {
        let fixture = try fixture()
        let process = try fixture.call(["0"]).rows(of: "$return")[0]
        let failures = Shared<[InvocationFailure.Kind]>([])
        let caller = DedicatedThread(name: "caller") {
            let failure = try? fixture.failure(["hang"])
            failures.change { $0 += failure.map { [$0.kind] } ?? [] }
        }
        while fixture.host.workers(of: "f").alive == 0 { usleep(1_000) }
        usleep(100_000)
        fixture.host.stop()
        caller.join()
        #expect(failures.value == [.stopped])
        #expect(isGone(process))
    }

    /// Whether nothing is left of a process, not even an entry of an ended one; waits a moment for it.
    private func isGone(_ process: String) -> Bool {
        for _ in 0..<200 {
            if access("/proc/\(process)", F_OK) != 0 { return true }
            usleep(10_000)
        }
        return false
    }
}
