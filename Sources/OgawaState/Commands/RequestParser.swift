/// Where an argument lies, counted from the first byte of its request.
struct ArgumentSpan {
    var offset: Int
    var count: Int
}

/// Finds the end of a request and its arguments.
///
/// Keeps what it found of an unfinished one, so that a request in a thousand pieces
/// is still read once.
///
/// **Isolation.** One thread; the owner calls ``free()`` once.
struct RequestParser {
    enum Result {
        /// More bytes are needed.
        case incomplete
        /// A request with its bytes; the arguments are in the spans.
        case request(Int)
        /// Bytes that ask for nothing, such as an empty line.
        case nothing(Int)
        /// The bytes are no request; the connection is to be closed after this answer.
        case failed(String)
    }

    static let longestLine = 64 << 10
    static let mostArguments = 1 << 20

    private(set) var spans: UnsafeMutablePointer<ArgumentSpan>
    private(set) var count = 0
    private var capacity = 8
    private var position = 0
    private var remaining = 0
    let longestArgument: Int

    init(longestArgument: Int) {
        self.longestArgument = longestArgument
        spans = .allocate(capacity: capacity)
    }

    func free() { spans.deallocate() }

    private mutating func add(_ offset: Int, _ byteCount: Int) {
        if count == capacity {
            let larger = UnsafeMutablePointer<ArgumentSpan>.allocate(capacity: capacity * 2)
            larger.update(from: spans, count: count)
            spans.deallocate()
            spans = larger
            capacity *= 2
        }
        spans[count] = ArgumentSpan(offset: offset, count: byteCount)
        count &+= 1
    }

    mutating func add(inlineWord word: ArgumentSpan) { add(word.offset, word.count) }

    /// Gives memory back after a request with very many arguments.
    mutating func shrink() {
        guard capacity > 1024, remaining == 0 else { return }
        spans.deallocate()
        capacity = 8
        spans = .allocate(capacity: capacity)
        count = 0
    }

    /// Reads on; `base` is the first byte of the request, which may be changed in place where it holds quoted words.
    mutating func next(_ base: UnsafeMutableRawPointer, _ available: Int) -> Result {
        guard available > 0 else { return .incomplete }
        if remaining == 0 {
            count = 0
            guard base.load(as: UInt8.self) == UInt8(ascii: "*") else { return inline(base, available) }
            var end = 0
            let wanted = number(base, available, after: 0, end: &end)
            if end == 0 {
                return available > RequestParser.longestLine
                    ? .failed("Protocol error: too big mbulk count string") : .incomplete
            }
            guard let wanted, wanted <= RequestParser.mostArguments else {
                return .failed("Protocol error: invalid multibulk length")
            }
            position = end
            if wanted <= 0 { return .nothing(end) }
            remaining = wanted
        }
        while remaining > 0 {
            guard position < available else { return .incomplete }
            let mark = base.load(fromByteOffset: position, as: UInt8.self)
            guard mark == UInt8(ascii: "$") else {
                return .failed("Protocol error: expected '$', got '\(Character(Unicode.Scalar(mark)))'")
            }
            var start = 0
            let length = number(base, available, after: position, end: &start)
            if start == 0 {
                return available - position > RequestParser.longestLine
                    ? .failed("Protocol error: too big bulk count string") : .incomplete
            }
            guard let length, length >= 0, length <= longestArgument else {
                return .failed("Protocol error: invalid bulk length")
            }
            guard available &- start >= length &+ 2 else { return .incomplete }
            add(start, length)
            position = start &+ length &+ 2
            remaining &-= 1
        }
        return .request(position)
    }

    /// The number between a mark and the end of its line.
    ///
    /// `end` stays 0 while the line is unfinished; nil where it is no number.
    @inline(__always)
    private func number(_ base: UnsafeMutableRawPointer, _ available: Int, after mark: Int, end: inout Int) -> Int? {
        var index = mark &+ 1
        var value = 0
        var digits = 0
        while index < available {
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            let digit = byte &- 48
            if digit > 9 { break }
            // Ten digits are more than any limit; what is longer is refused below without overflow.
            if digits < 12 { value = value &* 10 &+ Int(digit) }
            digits &+= 1
            index &+= 1
        }
        if digits > 0, index &+ 1 < available, base.load(fromByteOffset: index, as: UInt8.self) == 13 {
            end = index &+ 2
            return digits <= 10 ? value : nil
        }
        return unusualNumber(base, available, after: mark, end: &end)
    }

    @inline(never)
    private func unusualNumber(
        _ base: UnsafeMutableRawPointer, _ available: Int, after mark: Int, end: inout Int
    ) -> Int? {
        var index = mark + 1
        while index < available, index - mark <= RequestParser.longestLine {
            if base.load(fromByteOffset: index, as: UInt8.self) == 13 {
                guard index + 1 < available else { return nil }
                end = index + 2
                return ByteSlice(base + (mark + 1), index - mark - 1).integer.flatMap { Int(exactly: $0) }
            }
            index += 1
        }
        return nil
    }
}
