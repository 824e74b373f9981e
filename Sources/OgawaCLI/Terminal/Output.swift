// Standard output and standard error: results go to the first, everything said about them to the second.

import Ogawa

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The two streams of text that a command writes.
package enum Output {
    /// Writes a result line; ends the program quietly when the reader has gone, as `head` does.
    package static func line(_ text: String) { write(Array((text + "\n").utf8)) }

    /// Writes result bytes as they are.
    package static func write(_ bytes: [UInt8]) {
        guard !writeAll(1, bytes) else { return }
        if errno == EPIPE { exit(0) }
        problem("can't write the output: \(String(cString: strerror(errno)))")
        exit(1)
    }

    /// Says something to the user that is not a result.
    package static func note(_ text: String) { _ = writeAll(2, Array((text + "\n").utf8)) }

    /// Says what went wrong.
    package static func problem(_ text: String) { note("\(Style.error.paint("error:", red: true)) \(text)") }

    /// Writes text to the terminal's line without ending it.
    package static func status(_ text: String) { _ = writeAll(2, Array(text.utf8)) }

    private static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                systemWrite(descriptor, buffer, from: written)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, 1000)
                continue
            }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }
}

private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, from start: Int) -> Int {
    guard let base = buffer.baseAddress else { return 0 }
    return write(descriptor, base + start, buffer.count - start)
}

/// What the terminal behind an output can do.
package enum Terminal {
    /// Whether people read standard output.
    package static var isOutput: Bool { isatty(1) == 1 }
    /// Whether people read standard error.
    package static var isError: Bool { isatty(2) == 1 }
    /// Whether standard input comes from a keyboard.
    package static var isInput: Bool { isatty(0) == 1 }

    /// Columns of the terminal; 80 where none tells.
    package static var width: Int {
        var size = winsize()
        for descriptor in [Int32(1), 2] where ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 {
            return Int(size.ws_col)
        }
        return environment["COLUMNS"].flatMap { Int($0) }.flatMap { (20...1000).contains($0) ? $0 : nil } ?? 80
    }

    /// The environment of the process.
    package static let environment: [String: String] = {
        var result: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                result[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry += 1
        }
        return result
    }()
}

/// Colours, for a terminal that shows them and a user who wants them.
package struct Style: Sendable {
    private let isOn: Bool

    private init(isTerminal: Bool) {
        let environment = Terminal.environment
        isOn = isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    /// For standard output.
    package static let output = Style(isTerminal: Terminal.isOutput)
    /// For standard error.
    package static let error = Style(isTerminal: Terminal.isError)

    /// The text in bold, or in a colour.
    package func paint(
        _ text: String, bold: Bool = false, dim: Bool = false, red: Bool = false, green: Bool = false,
        blue: Bool = false
    ) -> String {
        guard isOn else { return text }
        var codes: [String] = []
        if bold { codes.append("1") }
        if dim { codes.append("2") }
        if red { codes.append("31") }
        if green { codes.append("32") }
        if blue { codes.append("36") }
        return codes.isEmpty ? text : "\u{1b}[\(codes.joined(separator: ";"))m\(text)\u{1b}[0m"
    }
}
