import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaTesting
import Testing

/// Byte fixtures: what these files hold must be readable for ever.
@Suite struct FormatTests {
    /// 2026-05-28T08:26:40Z, the start of the simulated clock, in ticks: 0x003f3d0175008000.
    private static let time = "00800075013d3f00"

    /// Two records, `dev-1` with properties and `dev-2` with a body of 130 bytes, so that a length takes two bytes.
    private static let records =
        "00" + "05" + "6465762d31" + "07" + "7b2270223a317d" + "07" + "7b2276223a327d"
        + "00" + "05" + "6465762d32" + "00" + "8201" + String(repeating: "61", count: 130)

    private func fixture(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\n") })
        return stride(from: 0, to: digits.count, by: 2).map { index in
            UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16) ?? 0
        }
    }

    private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// One batch with its checksums put in.
    private func batch(
        attributes: String, firstOffset: String, count: String, unsynced: String, payload: String
    ) -> [UInt8] {
        var bytes = fixture(
            "4f474231 00000000 00000000 01" + attributes + "0000" + firstOffset + FormatTests.time + FormatTests.time
                + count + unsynced + "00000000" + payload)
        func store(_ value: UInt32, at position: Int) {
            for index in 0..<4 { bytes[position + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index))) }
        }
        store(UInt32(bytes.count), at: 8)
        store(bytes[52...].withUnsafeBytes { crc32c($0) }, at: 48)
        store(bytes[8..<52].withUnsafeBytes { crc32c($0) }, at: 4)
        return bytes
    }

    @Test func `a segment is written byte for byte as the format says`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        var pending = PendingEvents()
        pending.append(key: "dev-1", body: #"{"v":2}"#, properties: #"{"p":1}"#)
        pending.append(key: "dev-2", body: String(repeating: "a", count: 130))
        _ = try await log.partition.append(pending)
        _ = try await log.partition.append(
            event("x", key: ""), producer: ProducerState(producer: "fn", state: [1, 2]))
        log.close()
        let written = try #require(bench.fileSystem.contents(of: bench.segmentPath()))
        let expected =
            batch(
                attributes: "00", firstOffset: "0000000000000000", count: "02000000", unsynced: "00000000",
                payload: FormatTests.records)
            + batch(
                attributes: "01", firstOffset: "0200000000000000", count: "01000000", unsynced: "00000000",
                payload: "01" + "02" + "666e" + "02" + "0102" + "00" + "00" + "00" + "01" + "78")
        #expect(hexadecimal(written) == hexadecimal(expected))
    }

    @Test func `a whole fixture from the first version is read`() throws {
        // Checksums and all, as written by version 1; the same records as above.
        let stored = fixture(
            """
            4f474231 c7853a3d d7000000 01 00 0000 0000000000000000
            00800075013d3f00 00800075013d3f00 02000000 00000000 e8fcd5be
            """ + FormatTests.records)
        let bench = TestBench()
        bench.fileSystem.setContents(of: bench.segmentPath(), to: stored)
        let log = try bench.open()
        defer { log.close() }
        #expect(log.recoveryNotes == [])
        #expect(log.partition.nextOffset == Offset(rawValue: 2))
        let read = try log.partition.read(from: log.partition.startPosition, maxByteCount: 1 << 20)
        let (batch, _) = try #require(read)
        #expect(batch.key(at: 0) == "dev-1")
        #expect(batch.body(at: 1) == String(repeating: "a", count: 130))
        #expect(batch.enqueuedTimes == [17_800_000_000_000_000, 17_800_000_000_000_000])
    }

    @Test func `an idle marker and the head of a second segment are written as the format says`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 60)
        _ = try await log.partition.append(
            event("x", key: ""), producer: ProducerState(producer: "fn", state: [1, 2]))
        _ = try await log.partition.append(event("y", key: ""))
        log.close()
        let second = try #require(bench.fileSystem.contents(of: bench.segmentPath(1)))
        let expected =
            batch(
                attributes: "05", firstOffset: "0100000000000000", count: "00000000", unsynced: "00000000",
                payload: "01" + "02" + "666e" + "02" + "0102")
            + batch(
                attributes: "00", firstOffset: "0100000000000000", count: "01000000", unsynced: "3b000000",
                payload: "00" + "00" + "00" + "01" + "79")
        #expect(hexadecimal(second) == hexadecimal(expected))

        let idle = TestBench()
        let other = try idle.open()
        _ = try await other.partition.appendIdleMarker()
        other.close()
        let marker = batch(
            attributes: "02", firstOffset: "0000000000000000", count: "00000000", unsynced: "00000000", payload: "")
        #expect(idle.fileSystem.contents(of: idle.segmentPath()) == marker)
    }

    @Test func `records written with a time of their own are read with it`() throws {
        // The writer gives all records of a group one time, but the format does not require that.
        let bench = TestBench()
        var bytes = batch(
            attributes: "00", firstOffset: "0000000000000000", count: "02000000", unsynced: "00000000",
            payload: "00" + "00" + "00" + "01" + "61" + "e807" + "00" + "00" + "01" + "62")
        bytes[32] = 0xe8
        bytes[33] = 0x83
        let checksum = bytes[8..<52].withUnsafeBytes { crc32c($0) }
        for index in 0..<4 { bytes[4 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(index))) }
        bench.fileSystem.setContents(of: bench.segmentPath(), to: bytes)
        let log = try bench.open()
        defer { log.close() }
        let read = try log.partition.read(from: log.partition.startPosition, maxByteCount: 1 << 20)
        #expect(read?.batch.enqueuedTimes == [17_800_000_000_000_000, 17_800_000_000_001_000])
        let since = log.partition.position(since: Timestamp(ticks: 17_800_000_000_000_001))
        #expect(since.offset == Offset(rawValue: 1))
    }
}
