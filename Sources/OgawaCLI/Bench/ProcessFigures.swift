// What the system knows of a process and of the machine, from /proc; Linux only, elsewhere the figures are missing.

import Ogawa

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Figures of one process.
struct ProcessFigures {
    let processID: pid_t

    /// Processor time in user and kernel mode of all threads, in seconds.
    var cpuSeconds: Double? {
        guard let text = try? TextFile.read("/proc/\(processID)/stat"), let end = text.lastIndex(of: ")") else {
            return nil
        }
        // Behind the name, fields 14 and 15 of the line are the 12th and 13th.
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[11]), let kernel = Double(fields[12]) else { return nil }
        return (user + kernel) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Memory that lies in RAM now, in bytes.
    var residentByteCount: Int64? { status("VmRSS:") }
    /// The most memory that ever lay in RAM, in bytes.
    var peakResidentByteCount: Int64? { status("VmHWM:") }

    private func status(_ field: String) -> Int64? {
        guard let text = try? TextFile.read("/proc/\(processID)/status") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(field) {
            let parts = line.split { $0 == " " || $0 == "\t" }
            return parts.count > 1 ? Int64(parts[1]).map { $0 * 1024 } : nil
        }
        return nil
    }
}

/// The machine that figures were taken on; a figure without it says little.
struct MachineFigures {
    var processor = "unknown"
    var coreCount = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    var memoryByteCount: Int64 = 0
    var kernel = ""
    /// Runnable threads before the bench: figures of a busy machine are worth less.
    var loadAverage = 0.0

    init() {
        var names = utsname()
        if uname(&names) == 0 {
            kernel = withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        func lines(_ path: String) -> [Substring] { (try? TextFile.read(path))?.split(separator: "\n") ?? [] }
        if let line = lines("/proc/cpuinfo").first(where: { $0.hasPrefix("model name") }),
            let colon = line.firstIndex(of: ":")
        {
            processor = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        if let line = lines("/proc/meminfo").first(where: { $0.hasPrefix("MemTotal") }) {
            memoryByteCount = (line.split(separator: " ").dropFirst().first.flatMap { Int64($0) } ?? 0) * 1024
        }
        loadAverage = lines("/proc/loadavg").first?.split(separator: " ").first.flatMap { Double($0) } ?? 0
    }

    var json: JSONValue {
        .object([
            JSONMember("processor", .string(processor)), JSONMember("cores", .integer(Int64(coreCount))),
            JSONMember("memoryBytes", .integer(memoryByteCount)), JSONMember("kernel", .string(kernel)),
            JSONMember("loadAverage", .float(loadAverage)),
        ])
    }
}

/// The disk's own durable rate, as `dd conv=fdatasync` gives it.
enum DiskProbe {
    static let byteCount = 256 << 20

    /// Writes zeros in blocks of a megabyte, makes them durable once at the end, and gives bytes a second.
    static func run(in base: String) async throws -> Double {
        let folder = try Leftovers.makeFolder(in: base)
        defer { Leftovers.remove(folder: folder) }
        let file = TextFile.join(folder, "dd.bin")
        let errors = TextFile.join(folder, "dd.txt")
        let start = ContinuousClock.now
        let dd = try ChildProcess(
            [
                "env", "LC_ALL=C", "dd", "if=/dev/zero", "of=\(file)", "bs=1M", "count=\(byteCount >> 20)",
                "conv=fdatasync",
            ], errorFile: errors)
        guard await dd.wait(for: .seconds(120)) else {
            await dd.stop()
            throw CommandFailure(
                "dd took more than 2 minutes for \(byteCount >> 20) MiB", hint: "name a faster disk with --data DIR")
        }
        let elapsed = (ContinuousClock.now - start).inSeconds
        return Double(byteCount) / (reportedSeconds(errors) ?? elapsed)
    }

    /// The seconds of the line `268435456 bytes (268 MB, 256 MiB) copied, 0.21 s, 1.3 GB/s`.
    private static func reportedSeconds(_ path: String) -> Double? {
        guard let text = try? TextFile.read(path) else { return nil }
        let words = text.split { $0 == " " || $0 == "," || $0 == "\n" }
        guard let copied = words.firstIndex(of: "copied"), copied + 1 < words.count else { return nil }
        return Double(words[copied + 1])
    }
}
