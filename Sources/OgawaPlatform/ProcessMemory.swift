#if canImport(Glibc)
    import Glibc

    /// Reads the memory in use from /proc, without Foundation and without failing on what has ended meanwhile.
    enum ProcessMemory {
        /// More descendants than this are not counted, so that a fork bomb costs no time here.
        private static let processLimit = 256

        static func residentByteCount(ofTree root: Int32) -> Int {
            var waiting = [root]
            var seen = 0
            var total = 0
            while let process = waiting.popLast(), seen < processLimit {
                seen += 1
                total += residentByteCount(of: process)
                waiting += children(of: process)
            }
            return total
        }

        private static func residentByteCount(of process: Int32) -> Int {
            let fields = read("/proc/\(process)/statm").split(separator: UInt8(ascii: " "))
            guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else { return 0 }
            return pages * Int(getpagesize())
        }

        private static func children(of process: Int32) -> [Int32] {
            read("/proc/\(process)/task/\(process)/children").split(separator: UInt8(ascii: " ")).compactMap {
                Int32(String(decoding: $0, as: UTF8.self))
            }
        }

        private static func read(_ path: String) -> [UInt8] {
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return [] }
            defer { close(descriptor) }
            return [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                count = max(0, Glibc.read(descriptor, buffer.baseAddress, buffer.count))
            }
        }
    }
#endif
