import OgawaCore

// UNION: the SELECTs have the same columns in the same order, and their rows stand beside each other, duplicates included.
extension Binder {
    /// Reports what keeps a SELECT from following the first one of a UNION.
    func checkUnion(_ first: SelectBinder, _ other: SelectBinder) {
        let kinds = first.items.map(\.kind)
        guard kinds == other.items.map(\.kind) else {
            let names = first.items.map(\.kind.unionName).joined(separator: ", ")
            let others = other.items.map(\.kind.unionName).joined(separator: ", ")
            error(
                "union-mismatch",
                "the SELECTs of a UNION have the same columns in the same order: (\(names)) here, (\(others)) there",
                hint: "name the columns alike with AS", at: other.syntax.range)
            return
        }
        for (index, kind) in kinds.enumerated() {
            guard let one = first.items[index].expression.surelyOfType,
                let type = other.items[index].expression.surelyOfType, !one.isCompatible(with: type)
            else { continue }
            error(
                "union-mismatch",
                "column '\(kind.unionName)' is \(one.typeName) in the first SELECT of the UNION and \(type.typeName) here",
                hint: "CAST one of them", at: other.items[index].expression.range)
        }
    }
}

extension ProjectItem.Kind {
    fileprivate var unionName: String {
        switch self {
        case .named(let name): name
        case .spread(let excluded): excluded.isEmpty ? "*" : "* EXCEPT (\(excluded.joined(separator: ", ")))"
        }
    }
}

extension Expression {
    /// The type that the text gives to the value; nil where only the data tell.
    fileprivate var surelyOfType: ValueTag? {
        switch kind {
        case .literal(.null): nil
        case .literal(let value): value.tag
        case .cast(_, let tag, _): tag
        case .eventTime: .datetime
        default: nil
        }
    }
}

extension ValueTag {
    /// Whether values of both types can stand in one column of a UNION.
    fileprivate func isCompatible(with other: ValueTag) -> Bool {
        let numbers: Set<ValueTag> = [.bigint, .float, .bit]
        let times: Set<ValueTag> = [.datetime, .text]
        return self == other || (numbers.contains(self) && numbers.contains(other))
            || (times.contains(self) && times.contains(other))
    }
}
