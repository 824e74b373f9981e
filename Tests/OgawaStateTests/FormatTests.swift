import OgawaState
import OgawaTesting
import Testing

/// The bytes of docs/formats/state.md, made from that page by another program.
@Suite struct FormatTests {
    private static let journal =
        "4f475346256e107d01000000350000000000000000000000000000000000000002000000343ed3090000000000000000"
        + "000000000000000001000000010000000100000000000000000000000000000061310400000001000000010000000100"
        + "000000000000000000006866764f4753465a401b68010000001a00000002000000000000000200000000000000010000"
        + "00999ca602000000000000000000000000000000000201000002000000000000000000000000000000000000007a7a"

    private static let firstFrame =
        "4f47534644ce5452010100003a00000000000000000000000000000000000000020000006ae1f3dd6300000000000000"
        + "000000000000000001000000010000000100000000000000000000000000000061312000000000000000080000000000"
        + "000000000000000000000100000000000000"

    private static let lastFrame =
        "4f4753464bfb08fd0101000020000000110000000000000000000000000000000100000063ff100c6300000000000000"
        + "00000000000000002300000000000000080000000000000011000000000000000100000000000000"

    private func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap { $0.hexDigitValue.map { UInt8($0) } }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    @Test func `a journal is written as the page says`() throws {
        let bench = TestBench()
        let store = try bench.open()
        let client = store.makeClient()
        _ = client.run("SET", "a", "1")
        _ = client.run("HSET", "h", "f", "v")
        try store.flush()
        _ = client.run("SELECT", "1")
        // What leaves nothing behind leaves no trace but its deletion.
        _ = client.run("DEL", "zz")
        try store.flush()
        let path = try #require(bench.paths(".journal").first)
        #expect(path == TestBench.directory + "/00000000000000000000.journal")
        let written = hex(try #require(bench.fileSystem.contents(of: path)))
        #expect(FormatTests.journal.hasPrefix(written) && written.utf8.count > 200)
        try store.close()
    }

    @Test func `a journal that the page describes is read`() throws {
        let bench = TestBench()
        try bench.fileSystem.createDirectory(TestBench.directory)
        bench.fileSystem.setContents(
            of: TestBench.directory + "/00000000000000000000.journal", to: bytes(FormatTests.journal))
        let store = try bench.open()
        #expect(store.recoveryNotes.isEmpty)
        let client = store.makeClient()
        #expect(client.run("GET", "a") == "$1\r\n1\r\n" && client.run("HGET", "h", "f") == "$1\r\nv\r\n")
        try store.close()
        #expect(bench.paths(".journal").last?.hasSuffix("/00000000000000000003.journal") == true)
    }

    @Test func `a snapshot is written as the page says`() throws {
        let bench = TestBench()
        let store = try bench.open()
        _ = store.makeClient().run("SET", "a", "1")
        try store.takeSnapshot()
        let path = TestBench.directory + "/00000000000000000001.snapshot"
        let written = hex(try #require(bench.fileSystem.contents(of: path)))
        #expect(written.hasPrefix(FormatTests.firstFrame) && written.hasSuffix(FormatTests.lastFrame))
        #expect(written.utf8.count == 1522 * 2)
        try store.close()
    }

    @Test func `a newer version is refused by name`() throws {
        let bench = TestBench()
        try bench.fileSystem.createDirectory(TestBench.directory)
        var newer = bytes(FormatTests.journal)
        newer[8] = 2
        // The checksum of the header as a newer version would write it.
        let checksum = crc(Array(newer[8..<56]))
        for index in 0..<4 { newer[4 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
        bench.fileSystem.setContents(of: TestBench.directory + "/00000000000000000000.journal", to: newer)
        do {
            try bench.open().close()
            Issue.record("a newer version was read")
        } catch let error as StateError { #expect(error.code == .unsupportedVersion && error.message.contains("(2)")) }
    }

    private func crc(_ bytes: [UInt8]) -> UInt32 {
        var value: UInt32 = 0xffff_ffff
        for byte in bytes {
            value ^= UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
        }
        return value ^ 0xffff_ffff
    }
}
