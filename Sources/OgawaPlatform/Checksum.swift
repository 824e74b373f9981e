import COgawaPlatform

/// The CRC-32C of the bytes, continued from the checksum of the bytes before them.
///
/// **Complexity.** About 6 bytes a nanosecond with the CPU's instruction, a quarter of that without; allocates nothing.
/// **Source.** RFC 3720, appendix B.4; the polynomial is Castagnoli's.
package func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    opf_crc32c(seed, bytes.baseAddress, bytes.count)
}

/// The same as ``crc32c(_:seed:)``, by tables only; for tests.
package func crc32cPortable(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    opf_crc32c_portable(seed, bytes.baseAddress, bytes.count)
}

/// Whether ``crc32c(_:seed:)`` runs on the CPU's own instruction.
package var isChecksumInHardware: Bool { opf_crc32c_is_hardware() }
