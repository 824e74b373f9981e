import OgawaPlatform
import OgawaTesting
import Testing

@Suite struct ChecksumTests {
    private func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { crc32c($0) } }

    @Test func `the checksums of RFC 3720 come out`() {
        #expect(checksum([]) == 0)
        #expect(checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(checksum(Array(0..<32)) == 0x46dd_794e)
        #expect(checksum(Array((0..<32).reversed())) == 0x113f_db5c)
        #expect(checksum(Array("123456789".utf8)) == 0xe306_9283)
    }

    @Test func `the tables agree with the CPU at every length and start`() {
        var random = SplitMix64(seed: 1)
        let bytes = (0..<200).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBytes { bytes in
            for start in 0..<16 {
                for end in start...bytes.count {
                    let part = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                    #expect(crc32c(part, seed: 7) == crc32cPortable(part, seed: 7))
                }
            }
        }
    }

    @Test func `a checksum carries on from the one before`() {
        let bytes = Array("the quick brown fox".utf8)
        bytes.withUnsafeBytes { bytes in
            for cut in 0...bytes.count {
                let first = crc32c(UnsafeRawBufferPointer(rebasing: bytes[..<cut]))
                #expect(crc32c(UnsafeRawBufferPointer(rebasing: bytes[cut...]), seed: first) == crc32c(bytes))
            }
        }
    }
}
