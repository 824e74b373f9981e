import OgawaCore
import OgawaPlatform
import OgawaTesting
import Testing

@Suite struct GzipTests {
    private let text = Array((0..<2000).map { "line \($0)" }.joined(separator: "\n").utf8)

    private func failure(_ body: () throws -> Void) -> GzipError? {
        do {
            try body()
            return nil
        } catch {
            return error as? GzipError
        }
    }

    @Test func `what was compressed comes back`() throws {
        for bytes in [text, [], [7], [UInt8](repeating: 0, count: 500_000)] {
            #expect(try gunzip(gzip(bytes), maxByteCount: bytes.count) == bytes)
        }
    }

    @Test func `what another program compressed comes back`() throws {
        // printf 'hello, stream\n' | gzip -n
        let bytes: [UInt8] = [
            0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0x28,
            0x2e, 0x29, 0x4a, 0x4d, 0xcc, 0xe5, 0x02, 0x00, 0xe3, 0x84, 0x60, 0x0c, 0x0e, 0x00, 0x00, 0x00,
        ]
        #expect(String(decoding: try gunzip(bytes, maxByteCount: 100), as: UTF8.self) == "hello, stream\n")
    }

    @Test func `members one behind the other are one text`() throws {
        let both = gzip(Array("one ".utf8)) + gzip([]) + gzip(Array("two".utf8))
        #expect(try gunzip(both, maxByteCount: 100) == Array("one two".utf8))
    }

    @Test func `a text beyond the limit is refused`() {
        let bytes = gzip(text)
        #expect(failure { _ = try gunzip(bytes, maxByteCount: text.count - 1) } == .tooLarge(limit: text.count - 1))
        #expect(failure { _ = try gunzip(bytes, maxByteCount: 0) } == .tooLarge(limit: 0))
    }

    @Test func `a bomb is refused long before its end`() {
        let bomb = gzip([UInt8](repeating: 0, count: 10_000_000))
        #expect(bomb.count < 20_000)
        #expect(failure { _ = try gunzip(bomb, maxByteCount: 100_000_000) } == .suspiciousRatio(limit: 400))
    }

    @Test func `a text cut anywhere is truncated, and other bytes are damaged`() {
        let bytes = gzip(Array("some text that is not too short".utf8))
        for cut in 0..<bytes.count {
            #expect(failure { _ = try gunzip(Array(bytes[..<cut]), maxByteCount: 100) } == .truncated, "cut at \(cut)")
        }
        var wrongChecksum = bytes
        wrongChecksum[bytes.count - 6] ^= 1
        for damaged in [wrongChecksum, Array("plain text".utf8), bytes + Array("garbage".utf8)] {
            guard case .damaged = failure({ _ = try gunzip(damaged, maxByteCount: 100) }) else {
                Issue.record("damage was not found")
                continue
            }
        }
    }

    @Test func `random bytes never do worse than fail`() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<500 {
            var bytes = gzip(Array(text.prefix(300)))
            for _ in 0..<3 {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? gunzip(bytes, maxByteCount: 1000)
        }
    }

    @Test func `a reader gives the text in pieces of any size`() throws {
        let bytes = gzip(text) + gzip(text)
        for size in [1, 7, 1000, 1 << 20] {
            var rest = bytes[...]
            let reader = try GzipReader { _ in
                defer { rest = rest.dropFirst(13) }
                return Array(rest.prefix(13))
            }
            var result: [UInt8] = []
            while true {
                let part = try reader.read(maxByteCount: size)
                if part.isEmpty { break }
                #expect(part.count <= size)
                result += part
            }
            #expect(result == text + text)
        }
    }

    @Test func `a reader reads a file`() throws {
        let fileSystem = MemoryFileSystem()
        fileSystem.setContents(of: "/a.gz", to: gzip(text))
        let reader = try GzipReader(path: "/a.gz", fileSystem: fileSystem)
        #expect(try reader.read(maxByteCount: 1 << 20) == text)
        #expect(try reader.read(maxByteCount: 1 << 20) == [])
    }
}
