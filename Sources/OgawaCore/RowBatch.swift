/// Named columns of equal length with the event time of each row: what a function gives to an output.
///
/// **Shape.** `names[i]` names `columns[i]`. A spread column holds records whose fields stand beside the named columns (`SELECT *`):
/// fields whose name is among `names` or in the spread's `excluded` list are left out. Rows are in output order.
/// **Units.** `times` are ticks (``Timestamp``): System.Timestamp() of the row.
/// **Isolation.** Owned by the runner that made it; an output reads it before it returns and keeps nothing of it.
public struct RowBatch {
    /// What a column contributes to a row.
    public enum Item: Hashable, Sendable {
        case named(String)
        /// The column's records are expanded in place; named columns before it win.
        case spread(excluding: [String])
    }

    public var items: [Item]
    public var columns: [Column]
    public var times: [Int64]

    public init(items: [Item], columns: [Column], times: [Int64]) {
        self.items = items
        self.columns = columns
        self.times = times
    }

    public var count: Int { times.count }

    /// The column of a name; exact spelling first, then without regard to ASCII case.
    public func column(named name: String) -> Column? {
        if let exact = items.firstIndex(of: .named(name)) { return columns[exact] }
        let lowered = name.lowercased()
        let index = items.firstIndex {
            guard case .named(let other) = $0 else { return false }
            return other.lowercased() == lowered
        }
        return index.map { columns[$0] }
    }
}
