/// The hash that places a key in a partition: 64-bit FNV-1a with a final avalanche.
///
/// **Shape.** Part of the on-disk contract ("same key, same partition"): it never changes.
/// **Source.** FNV-1a constants (Fowler, Noll, Vo); the finaliser is that of MurmurHash3.
public func keyHash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in key {
        hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
    hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
    hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return hash ^ (hash >> 33)
}

/// The partition of a key among `count` partitions.
public func partition(forKey key: UnsafeRawBufferPointer, count: Int) -> PartitionID {
    PartitionID(Int(keyHash(key) % UInt64(max(1, count))))
}
