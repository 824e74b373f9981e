// Replies in the Redis protocol, versions 2 and 3.

extension GrowingBytes {
    @inline(__always)
    mutating func replyBulk(_ bytes: ByteSlice) {
        reserve(bytes.count &+ 32)
        append(byte: UInt8(ascii: "$"))
        advance(writeDigits(Int64(bytes.count), to: end))
        newLine()
        append(bytes)
        newLine()
    }

    mutating func replyBulk(text: String) {
        var text = text
        text.withUTF8 { replyBulk(UnsafeRawBufferPointer($0).slice) }
    }

    @inline(__always)
    mutating func newLine() {
        reserve(2)
        end.storeBytes(of: 0x0a0d, as: UInt16.self)
        advance(2)
    }

    @inline(__always)
    mutating func replyInteger(_ number: Int64) {
        append(byte: UInt8(ascii: ":"))
        append(number: number)
        newLine()
    }

    mutating func replyHeader(_ mark: Character, _ count: Int) {
        append(byte: mark.asciiValue ?? 0)
        append(number: Int64(count))
        newLine()
    }

    mutating func replyArray(_ count: Int) { replyHeader("*", count) }

    /// An error; the text must begin with its code, and line ends in it become spaces.
    mutating func replyError(_ text: String) {
        append(byte: UInt8(ascii: "-"))
        for byte in text.utf8 { append(byte: byte == 13 || byte == 10 ? 32 : byte) }
        newLine()
    }
}
