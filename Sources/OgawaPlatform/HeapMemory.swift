import COgawaPlatform

/// Bytes that the program holds of malloc's heap; nil where the system does not tell.
package func heapByteCount() -> Int64? {
    let count = opf_heap_bytes()
    return count < 0 ? nil : Int64(count)
}
