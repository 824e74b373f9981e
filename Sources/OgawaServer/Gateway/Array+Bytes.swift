extension [UInt8] {
    /// The bytes for the time of a call that throws one type of error; the standard library's own method throws any.
    func withBytes<Success, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Success
    ) throws(Failure) -> Success {
        let outcome = withUnsafeBytes { bytes in Result { () throws(Failure) -> Success in try body(bytes) } }
        return try outcome.get()
    }
}
