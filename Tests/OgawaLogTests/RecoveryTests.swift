import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaTesting
import Testing

@Suite struct RecoveryTests {
    /// A log of one segment with ten batches of one event each, every one synced.
    private func written() async throws -> (bench: TestBench, bytes: [UInt8], ends: [Int]) {
        let bench = TestBench()
        let log = try bench.open()
        var ends: [Int] = []
        for index in 0..<10 {
            let state = ProducerState(producer: "fn", state: [UInt8(index)])
            _ = try await log.partition.append(event("event \(index)"), producer: index % 2 == 0 ? state : nil)
            bench.clock.advance(by: .seconds(1))
            ends.append(Int(log.partition.byteCount))
        }
        log.close()
        let bytes = try #require(bench.fileSystem.contents(of: bench.segmentPath()))
        #expect(bytes.count == ends.last)
        return (bench, bytes, ends)
    }

    @Test func `a segment cut at any byte opens with the batches before the cut`() async throws {
        let (_, bytes, ends) = try await written()
        for cut in 0...bytes.count {
            let bench = TestBench()
            bench.fileSystem.setContents(of: bench.segmentPath(), to: Array(bytes[..<cut]))
            let log = try bench.open()
            defer { log.close() }
            let whole = ends.filter { $0 <= cut }.count
            let isClean = cut == 0 || ends.contains(cut)
            #expect(log.recoveryNotes.isEmpty == isClean, "cut at \(cut)")
            #expect(log.partition.nextOffset == Offset(rawValue: Int64(whole)), "cut at \(cut)")
            #expect(try log.partition.bodies() == (0..<whole).map { "event \($0)" }, "cut at \(cut)")
            let state = whole == 0 ? nil : [UInt8((whole - 1) / 2 * 2)]
            #expect(log.partition.lastProducerState("fn") == state, "cut at \(cut)")
            let receipt = try log.partition.appendBlocking(event("new"))
            #expect(receipt.firstOffset == Offset(rawValue: Int64(whole)))
            #expect(try log.partition.bodies().last == "new")
        }
    }

    @Test func `a cut segment that was filled up with zeros opens like a cut one`() async throws {
        let (_, bytes, ends) = try await written()
        for cut in stride(from: 0, through: bytes.count, by: 7) {
            let bench = TestBench()
            let zeros = [UInt8](repeating: 0, count: 5000)
            bench.fileSystem.setContents(of: bench.segmentPath(), to: Array(bytes[..<cut]) + zeros)
            let log = try bench.open()
            defer { log.close() }
            // A batch that ends in zeros may lose them and be whole again.
            #expect(log.partition.nextOffset.rawValue >= Int64(ends.filter { $0 <= cut }.count))
            #expect(bench.fileSystem.contents(of: bench.segmentPath())?.count == Int(log.partition.byteCount))
        }
    }

    @Test func `a flip of any byte of a batch is found, and nothing else is lost`() async throws {
        let (_, bytes, ends) = try await written()
        for position in ends[3]..<ends[4] {
            let bench = TestBench()
            var damaged = bytes
            damaged[position] ^= 1 << UInt8(position % 8)
            bench.fileSystem.setContents(of: bench.segmentPath(), to: damaged)
            let log: Log
            do {
                log = try bench.open()
            } catch let error as LogError {
                Issue.record("byte \(position): \(error)")
                continue
            }
            defer { log.close() }
            let partition = log.partition
            #expect(log.recoveryNotes.count == 1, "byte \(position)")
            #expect(partition.nextOffset == Offset(rawValue: 10), "byte \(position)")
            var position = partition.startPosition
            var bodies: [String] = []
            var failure: LogError?
            do {
                while let (batch, next) = try partition.read(from: position, maxByteCount: 1 << 20) {
                    for index in 0..<batch.count { bodies.append(batch.body(at: index)) }
                    position = next
                }
            } catch {
                failure = error as? LogError
            }
            #expect(bodies == (0..<4).map { "event \($0)" })
            #expect(failure?.code == .corrupt)
            #expect(failure?.message.contains("00000000000000000000.segment") == true)
            #expect(failure?.message.contains("byte \(ends[3])") == true, "\(failure as Any)")
            let resume = try #require(failure?.resumeOffset)
            #expect(try partition.bodies(from: partition.position(at: resume)) == (5..<10).map { "event \($0)" })
        }
    }

    @Test func `a flip of any byte in a closed segment is found when it is read`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 300)
        for index in 0..<20 {
            _ = try await log.partition.append(event("event \(index)"))
            bench.clock.advance(by: .seconds(1))
        }
        log.close()
        let path = bench.segmentPath()
        let bytes = try #require(bench.fileSystem.contents(of: path))
        let index = try #require(bench.fileSystem.contents(of: bench.indexPath()))
        for isIndexed in [true, false] {
            for position in bytes.indices {
                var damaged = bytes
                damaged[position] ^= 0x10
                bench.fileSystem.setContents(of: path, to: damaged)
                bench.fileSystem.setContents(of: bench.indexPath(), to: isIndexed ? index : [])
                let log = try bench.open(segmentByteCount: 300)
                defer { log.close() }
                var seen: [String] = []
                var reader = log.partition.startPosition
                var failures = 0
                while true {
                    do {
                        guard let (batch, next) = try log.partition.read(from: reader, maxByteCount: 100) else { break }
                        for index in 0..<batch.count { seen.append(batch.body(at: index)) }
                        reader = next
                    } catch let error as LogError {
                        failures += 1
                        let resume = try #require(error.resumeOffset)
                        #expect(resume > reader.offset)
                        reader = log.partition.position(at: resume)
                    }
                }
                #expect(failures == 1, "byte \(position)")
                #expect(Set((0..<20).map { "event \($0)" }).subtracting(seen).count == 1, "byte \(position)")
            }
        }
    }

    @Test func `a tail whose blocks reached the disk in another order is torn, not damaged`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        _ = try await log.partition.append(event("kept"))
        let start = Int(log.partition.byteCount)
        let large = (0..<900).map { "\($0) " + String(repeating: "z", count: 1000) }
        _ = try await log.partition.append(events(large))
        log.close()
        var bytes = try #require(bench.fileSystem.contents(of: bench.segmentPath()))
        for index in start..<start + 4096 { bytes[index] = 0 }
        bench.fileSystem.setContents(of: bench.segmentPath(), to: bytes)
        let again = try bench.open()
        defer { again.close() }
        #expect(again.partition.nextOffset == Offset(rawValue: 1))
        #expect(try again.partition.bodies() == ["kept"])
        #expect(again.recoveryNotes.count == 1)
    }

    @Test func `a missing segment is an error and what comes after it is still read`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 150)
        for index in 0..<9 { _ = try await log.partition.append(event("event \(index)")) }
        log.close()
        let segments = bench.fileSystem.paths.filter { $0.hasSuffix(".segment") }
        try bench.fileSystem.remove(segments[1])
        let again = try bench.open(segmentByteCount: 150)
        defer { again.close() }
        #expect(again.recoveryNotes.count == 1)
        let error = logError { _ = try again.partition.bodies() }
        #expect(error?.code == .corrupt)
        let resume = try #require(error?.resumeOffset)
        #expect(try again.partition.bodies(from: again.partition.position(at: resume)).last == "event 8")
    }

    @Test func `strange files, newer versions and changed partition counts are refused`() async throws {
        let (bench, bytes, _) = try await written()
        let strange = TestBench.directory + "/s/0/123.segment"
        bench.fileSystem.setContents(of: strange, to: [])
        let badName = logError { _ = try bench.open() }
        #expect(badName?.code == .badLayout)
        #expect(badName?.message.contains("123.segment") == true)
        try bench.fileSystem.remove(strange)

        let newer = TestBench()
        newer.fileSystem.setContents(of: newer.segmentPath(), to: withVersion(2, bytes))
        let version = logError { _ = try newer.open() }
        #expect(version?.code == .unsupportedVersion)
        #expect(version?.message.contains("version 2") == true)

        let count = logError {
            _ = try bench.open(StreamConfiguration(name: "s", partitionCount: 2))
        }
        #expect(count?.code == .badLayout)
        for name in ["", ".hidden", "a/b", "ä", String(repeating: "x", count: 129)] {
            let error = logError { _ = try bench.open(StreamConfiguration(name: name)) }
            #expect(error?.code == .badLayout)
        }
    }

    private func withVersion(_ version: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        bytes[12] = version
        let checksum = bytes[8..<52].withUnsafeBytes { crc32c($0) }
        for index in 0..<4 { bytes[4 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(index))) }
        return bytes
    }

    @Test func `a damaged or missing index is made again`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 400)
        let bodies = (0..<40).map { "event \($0)" }
        for body in bodies {
            _ = try await log.partition.append(event(body))
            bench.clock.advance(by: .seconds(1))
        }
        log.close()
        let good = try #require(bench.fileSystem.contents(of: bench.indexPath()))
        for position in good.indices {
            var damaged = good
            damaged[position] ^= 4
            bench.fileSystem.setContents(of: bench.indexPath(), to: damaged)
            let again = try bench.open(segmentByteCount: 400)
            #expect(again.recoveryNotes.count == 1, "byte \(position)")
            #expect(try again.partition.bodies() == bodies)
            again.close()
            #expect(bench.fileSystem.contents(of: bench.indexPath()) == good)
        }
        try bench.fileSystem.remove(bench.indexPath())
        let again = try bench.open(segmentByteCount: 400)
        defer { again.close() }
        #expect(bench.fileSystem.contents(of: bench.indexPath()) == good)
        #expect(again.recoveryNotes.count == 1)
    }

    @Test func `a damaged head of the newest segment does not cost the producers their progress`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 500)
        for index in 0..<11 {
            let state = ProducerState(producer: "fn \(index % 5)", state: [UInt8(index)])
            _ = try await log.partition.append(event("event \(index)"), producer: state)
        }
        log.close()
        let newest = try #require(bench.fileSystem.paths.last { $0.hasSuffix(".segment") })
        #expect(newest != bench.segmentPath())
        var bytes = try #require(bench.fileSystem.contents(of: newest))
        bytes[60] ^= 1
        bench.fileSystem.setContents(of: newest, to: bytes)
        let again = try bench.open(segmentByteCount: 500)
        defer { again.close() }
        #expect(again.recoveryNotes.count == 1)
        #expect(again.partition.nextOffset.rawValue == 11)
        let states = (0..<5).map { again.partition.lastProducerState("fn \($0)") }
        #expect(states == [[10], [6], [7], [8], [9]])
    }

    @Test func `a second opener is told who has the log`() throws {
        let bench = TestBench()
        let log = try bench.open()
        let error = logError { _ = try bench.open() }
        #expect(error?.code == .locked)
        #expect(error?.message.contains("process ") == true)
        log.close()
        try bench.open().close()
    }
}
