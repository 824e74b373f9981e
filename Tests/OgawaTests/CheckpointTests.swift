import Ogawa
import OgawaCore
import OgawaLog
import OgawaTesting
import Testing

@Suite struct CheckpointTests {
    private func checkpoint(_ number: Int, stateByteCount: Int = 300) -> Checkpoint {
        let position = LogPosition(offset: Offset(rawValue: Int64(number)), enqueuedTime: Timestamp(ticks: 17_000))
        let progress = Progress([position, position])
        return Checkpoint(
            fingerprint: "SELECT a FROM b", time: Timestamp(ticks: Int64(number)), progress: progress,
            stored: [[progress], [nil, progress]],
            state: (0..<stateByteCount).map { UInt8(truncatingIfNeeded: $0 &* number) })
    }

    @Test func `a checkpoint reads as it was written`() throws {
        for count in [0, 1, 5000] {
            let written = checkpoint(7, stateByteCount: count)
            #expect(try Checkpoint(written.bytes) == written)
        }
    }

    @Test func `every flipped bit and every cut is noticed`() {
        let bytes = checkpoint(7, stateByteCount: 40).bytes
        for index in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                // The one byte that means nothing.
                if index == 7 { continue }
                #expect(throws: CheckpointError.self) { try Checkpoint(damaged) }
            }
            #expect(throws: CheckpointError.self) { try Checkpoint(Array(bytes[..<index])) }
        }
    }

    @Test func `a newer version is refused by its number`() {
        var bytes = checkpoint(1).bytes
        bytes[6] = 9
        let error = #expect(throws: CheckpointError.self) { try Checkpoint(bytes) }
        #expect(error?.description == "it has version 9, this program reads version 1")
    }

    @Test(arguments: [
        MemoryFileSystem.Survival.nothing, .everything, .random(seed: 1), .random(seed: 2), .random(seed: 3),
    ])
    func `a power cut at any call leaves the newest stored checkpoint or a newer one`(
        _ survival: MemoryFileSystem.Survival
    ) throws {
        var calls = 0
        for call in 1... {
            calls = call
            let disk = MemoryFileSystem()
            let folder = CheckpointFolder(directory: "/data/checkpoints", runner: "fn/in-0", fileSystem: disk)
            disk.inject(.crash, atCall: call)
            var stored = 0
            for number in 1...6 {
                guard (try? folder.save(checkpoint(number))) != nil else { break }
                stored = number
            }
            if !disk.isCrashed { break }
            disk.restart(keeping: survival)
            let found = try folder.load().checkpoints
            for each in found { #expect(each == checkpoint(Int(each.time.ticks))) }
            #expect((found.first?.time.ticks ?? 0) >= Int64(stored), "crash at call \(call)")
            // What the crash left does not hinder the next one.
            _ = try folder.save(checkpoint(9))
            #expect(try folder.load().checkpoints.first == checkpoint(9))
        }
        #expect(calls > 20)
    }

    @Test func `a failing call stores nothing and keeps what is there`() throws {
        for call in 1... {
            let disk = MemoryFileSystem()
            let folder = CheckpointFolder(directory: "/data", runner: "ü/ö", fileSystem: disk)
            _ = try folder.save(checkpoint(1))
            _ = try folder.save(checkpoint(2))
            disk.inject(.fail(.noSpace), atCall: call)
            let isStored = (try? folder.save(checkpoint(3))) != nil
            let isSpared = disk.clearFaults()
            let newest = try folder.load().checkpoints.first
            #expect(newest == checkpoint(3) || (!isStored && newest == checkpoint(2)), "fault at call \(call)")
            if isSpared { break }
        }
    }

    @Test func `a damaged checkpoint is named and the one before it is used`() throws {
        let disk = MemoryFileSystem()
        let folder = CheckpointFolder(directory: "/data", runner: "fn", fileSystem: disk)
        for number in 1...3 { _ = try folder.save(checkpoint(number)) }
        let path = try #require(disk.paths.last { $0.hasSuffix("3.checkpoint") })
        var bytes = try #require(disk.contents(of: path))
        bytes[bytes.count - 1] ^= 1
        disk.setContents(of: path, to: bytes)
        let (found, problems) = try folder.load()
        #expect(found == [checkpoint(2)])
        #expect(problems == ["\(path): its checksum is wrong"])
    }
}
