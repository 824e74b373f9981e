/// A record's dense position in its partition, from 0.
public struct Offset: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: Int64

    @inlinable
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// The first position of every partition.
    public static let zero = Offset(rawValue: 0)

    @inlinable
    public static func < (lhs: Offset, rhs: Offset) -> Bool { lhs.rawValue < rhs.rawValue }

    /// The offset `count` records further on.
    @inlinable
    public func advanced(by count: Int) -> Offset { Offset(rawValue: rawValue &+ Int64(count)) }

    public var description: String { String(rawValue) }
}

/// A partition's number in its stream, from 0.
public struct PartitionID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: Int32

    @inlinable
    public init(rawValue: Int32) { self.rawValue = rawValue }

    @inlinable
    public init(_ index: Int) { self.rawValue = Int32(truncatingIfNeeded: index) }

    /// The number as an array index.
    @inlinable
    public var index: Int { Int(rawValue) }

    @inlinable
    public static func < (lhs: PartitionID, rhs: PartitionID) -> Bool { lhs.rawValue < rhs.rawValue }

    public var description: String { String(rawValue) }
}
