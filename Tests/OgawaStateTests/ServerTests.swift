import Foundation
import OgawaCore
import OgawaState
import OgawaTesting
import Synchronization
import Testing

/// The listener, over real sockets.
@Suite(.serialized) struct ServerTests {
    private let store = StateStore(options: .manual, seed: 3)

    private func with(
        _ interface: RedisInterface = RedisInterface(), note: @escaping @Sendable (String) -> Void = { _ in },
        _ body: (RedisAddress) throws -> Void
    ) throws {
        let server = try StateServer(
            store: store, address: .tcp(host: "127.0.0.1", port: 0), interface: interface, note: note)
        defer { server.stop() }
        try body(RedisAddress("redis://127.0.0.1:\(server.port)"))
    }

    @Test func `many commands at once are answered in their order`() throws {
        try with { address in
            let connection = try RedisConnection(address)
            let replies = try connection.send((0..<20_000).map { ["INCRBY", "n", .text("\($0)")] })
            var sum: Int64 = 0
            for (index, reply) in replies.enumerated() {
                sum += Int64(index)
                #expect(reply == .integer(sum))
            }
        }
    }

    @Test func `long values go through in both directions`() throws {
        try with { address in
            let connection = try RedisConnection(address)
            let value = [UInt8](repeating: 7, count: 20 << 20)
            #expect(try connection.send([["SET", "big", .bytes(value)]]) == [.status("OK")])
            #expect(try connection.send([["GET", "big"], ["STRLEN", "big"]]) == [.bulk(value), .integer(20 << 20)])
        }
    }

    @Test func `clients at once see one order of changes`() throws {
        try with { address in
            let failures = Mutex(0)
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                do {
                    let connection = try RedisConnection(address)
                    for _ in 0..<200 { _ = try connection.send([["INCR", "n"], ["RPUSH", "l", "x"]]) }
                } catch { failures.withLock { $0 += 1 } }
            }
            #expect(failures.withLock { $0 } == 0)
            let counts = try RedisConnection(address).send([["GET", "n"], ["LLEN", "l"]])
            #expect(counts == [.bulk(Array("1600".utf8)), .integer(1600)])
        }
    }

    @Test func `a client that does not read its replies is sent away with the reason`() throws {
        let notes = Mutex<[String]>([])
        var interface = RedisInterface()
        interface.longestOutput = 1 << 20
        try with(interface, note: { note in notes.withLock { $0.append(note) } }) { address in
            let good = try RedisConnection(address)
            _ = try good.send([["SET", "big", .bytes([UInt8](repeating: 1, count: 400_000))]])
            // Our own client reads only when it has sent all, which this server does not wait for.
            let greedy = try RedisConnection(address)
            #expect(throws: StateError.self) { _ = try greedy.send((0..<400).map { _ in ["GET", "big"] }) }
            #expect(try good.send([["PING"]]) == [.status("PONG")])
        }
        #expect(notes.withLock { $0.contains { $0.contains("was sent away") } })
    }

    @Test func `more clients than allowed are refused in the words of Redis`() throws {
        var interface = RedisInterface()
        interface.mostClients = 3
        try with(interface) { address in
            let kept = try (0..<3).map { _ in try RedisConnection(address) }
            do {
                _ = try RedisConnection(address)
                Issue.record("a fourth client was let in")
            } catch let error as StateError {
                #expect(error.code == .refused || error.code == .unavailable)
            }
            #expect(try kept[0].send([["PING"]]) == [.status("PONG")])
        }
    }

    @Test func `without the password nothing is done`() throws {
        var interface = RedisInterface()
        interface.password = "secret"
        try with(interface) { address in
            #expect(throws: StateError.self) { _ = try RedisConnection(address) }
            var right = address
            right.password = "secret"
            let reply = try RedisConnection(right).send([["SET", "a", "1"]])
            #expect(reply == [.status("OK")])
            right.password = "secre"
            #expect(throws: StateError.self) { _ = try RedisConnection(right) }
        }
    }

    @Test func `a Unix socket serves as well and is gone afterwards`() throws {
        let path = NSTemporaryDirectory() + "/ogawa-state-\(getpid()).sock"
        let server = try StateServer(store: store, address: .unix(path: path))
        let connection = try RedisConnection(RedisAddress("unix://\(path)"))
        #expect(try connection.send([["SET", "a", "1"]]) == [.status("OK")])
        server.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(throws: StateError.self) { _ = try connection.send([["GET", "a"]]) }
    }

    @Test func `with durability always an answer means that the disk has it`() throws {
        let bench = TestBench()
        var options = StateOptions.manual
        options.durability = .always
        let durable = try StateStore.open(
            directory: TestBench.directory, fileSystem: bench.fileSystem, options: options, seed: 1)
        let server = try StateServer(store: durable, address: .tcp(host: "127.0.0.1", port: 0))
        let connection = try RedisConnection(RedisAddress("redis://127.0.0.1:\(server.port)"))
        #expect(try connection.send([["SET", "a", "1"]]) == [.status("OK")])
        bench.fileSystem.inject(.fail(.other), atEvery: .sync)
        #expect(throws: StateError.self) { _ = try connection.send([["SET", "a", "2"]]) }
        server.stop()
        #expect(throws: StateError.self) { try durable.close() }
        bench.fileSystem.restart(keeping: .nothing)
        let again = try bench.open()
        #expect(again.makeClient().run("GET", "a") == "$1\r\n1\r\n")
        try again.close()
    }

    @Test(.enabled(if: RedisServer.find("redis-cli") != nil))
    func `redis-cli reads and writes`() throws {
        let program = try #require(RedisServer.find("redis-cli"))
        try with { address in
            guard case .tcp(_, let port) = address.socket else { return }
            for version in ["-2", "-3"] {
                let arguments = [version, "-p", "\(port)"]
                let added = try RedisServer.output(of: program, arguments + ["HSET", "h", "f", "v"])
                #expect(added.hasPrefix(version == "-2" ? "1" : "0"))
                let shown = try RedisServer.output(of: program, arguments + ["--no-raw", "HGETALL", "h"])
                #expect(shown.contains("\"v\""))
                let keys = try RedisServer.output(of: program, arguments + ["--scan"])
                #expect(keys.contains("h"))
                let info = try RedisServer.output(of: program, arguments + ["INFO"])
                #expect(info.contains("redis_version:"))
            }
        }
    }

    @Test(.enabled(if: RedisServer.find("redis-benchmark") != nil))
    func `redis-benchmark runs`() throws {
        let program = try #require(RedisServer.find("redis-benchmark"))
        try with { address in
            guard case .tcp(_, let port) = address.socket else { return }
            let tests =
                "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,zadd,zpopmin,lrange_100,mset"
            let output = try RedisServer.output(
                of: program, ["-p", "\(port)", "-n", "2000", "-P", "16", "-q", "-r", "1000", "-t", tests])
            #expect(!output.contains("ERR") && output.contains("ZADD") && output.contains("LRANGE_100"))
        }
    }
}
