import OgawaCore

// What FROM may have beside one input: joins and APPLY.
extension SelectBinder {
    func bind(_ join: Syntax.Join) {
        add(join.source)
        fromParts.append(.join(bindCondition(of: join, right: relations.count - 1)))
    }

    private func bindCondition(of join: Syntax.Join, right: Int) -> BoundJoin {
        let before = binder.errors.count
        let condition = bind(join.condition, Place(clause: .join))
        var bound = BoundJoin(isLeft: join.isLeft)
        if let left = relations.first, case .reference = left.kind {
            binder.error(
                "reference-on-the-left", "'\(left.name)' is reference data and stands on the left of a join",
                hint: "read the stream first: FROM stream JOIN \(left.name) ON …", at: left.range)
            return bound
        }
        for part in condition.conjuncts { sort(part, into: &bound, right: right) }
        if let reason = relations[right].streamReason {
            checkBound(&bound, join, right, reason)
            if binder.errors.count == before {
                checkPartitions(join, bound, right)
                checkSubstreamKeys(join, bound, right)
            }
        }
        return bound
    }

    // MARK: ON

    /// Puts one condition of ON where it belongs: bounds of time, equal keys, or the rest.
    private func sort(_ part: Expression, into bound: inout BoundJoin, right: Int) {
        if let found = timeBound(part, right: right) {
            // Two bounds of one stream with one unit are the two ends of a range.
            let known = bound.bounds.firstIndex { $0.relation == found.relation && $0.unit == found.unit }
            if let known {
                bound.bounds[known].low = max(bound.bounds[known].low, found.low)
                bound.bounds[known].high = min(bound.bounds[known].high, found.high)
            } else {
                bound.bounds.append(found)
            }
        } else if let key = equality(part, right: right) {
            bound.keys.append(key)
        } else {
            bound.residual =
                bound.residual.map { Expression(.binary(.and, $0, part), range: $0.range.union(part.range)) } ?? part
        }
    }

    /// Both sides of `left = right`, where each reads one side of the join.
    private func equality(_ part: Expression, right: Int) -> (left: Expression, right: Expression)? {
        guard case .binary(.equal, let one, let other) = part.kind else { return nil }
        let isStream = relations[right].streamReason != nil
        guard !isStream || !(one.readsEventTime || other.readsEventTime) else { return nil }
        // Text next to a datetime is read as one, so that their bytes do not tell whether they are equal.
        guard !isStream || isDatetime(one) == isDatetime(other) else { return nil }
        let (first, second) = (one.relationsRead, other.relationsRead)
        if first == [right], !second.isEmpty, !second.contains(right), !one.readsEventTime { return (other, one) }
        if second == [right], !first.isEmpty, !first.contains(right), !other.readsEventTime { return (one, other) }
        return nil
    }

    /// `DATEDIFF(unit, a, b)` compared with a number, as a bound of the joined stream against an earlier one.
    private func timeBound(_ part: Expression, right: Int) -> BoundJoin.Bound? {
        guard case .binary(let written, let one, let other) = part.kind else { return nil }
        var operation = written
        var (call, limit) = (one, other)
        if other.wholeLimits == nil {
            (call, limit) = (other, one)
            operation = written.mirrored
        }
        guard let limits = limit.wholeLimits, case .call("DATEDIFF", let arguments) = call.kind, arguments.count == 3,
            case .literal(.text(let name)) = arguments[0].kind, let unit = DatePart(rawValue: name),
            let first = arguments[1].relationTime, let second = arguments[2].relationTime,
            first != second, first == right || second == right, relations[right].streamReason != nil
        else { return nil }
        guard let ticks = unit.ticks else {
            binder.error(
                "invalid-bound", "a join is bounded in \(DatePart.unitNames.joined(separator: ", ")), not in \(name)",
                at: part.range)
            return nil
        }
        var bound = BoundJoin.Bound(relation: first == right ? second : first, unit: ticks)
        switch operation {
        case .equal where limits.floor == limits.ceiling: (bound.low, bound.high) = (limits.floor, limits.floor)
        case .less: bound.high = limits.ceiling - 1
        case .lessOrEqual: bound.high = limits.floor
        case .greater: bound.low = limits.floor + 1
        case .greaterOrEqual: bound.low = limits.ceiling
        default: return nil
        }
        if first == right {
            (bound.low, bound.high) = (
                bound.high == .max ? .min : -bound.high, bound.low == .min ? .max : -bound.low
            )
        }
        return bound
    }

    // MARK: Checks

    /// Every stream of a join is bounded in time, on both sides, against an earlier one.
    private func checkBound(_ bound: inout BoundJoin, _ join: Syntax.Join, _ right: Int, _ reason: String) {
        let others = relations[..<right].filter { $0.streamReason != nil }
        guard let left = others.last, !binder.errors.contains(where: { $0.code == "invalid-bound" }) else { return }
        let name = relations[right].name
        let hint = "add AND DATEDIFF(second, \(left.name), \(name)) BETWEEN 0 AND 10 to ON"
        guard let first = bound.bounds.first else {
            let reads = others.map { "'\($0.name)'" }.joined(separator: ", ")
            binder.error(
                "unbounded-join",
                "a join of two streams needs a bound in time; '\(name)' is read as a stream, because \(reason), and so is "
                    + reads, hint: hint, at: join.source.range)
            return
        }
        let closed = bound.bounds.filter { $0.low != .min && $0.high != .max }
        guard !closed.isEmpty else {
            let side =
                first.low == .min
                ? "above only: how far '\(name)' may lie before" : "below only: how far '\(name)' may lie behind"
            binder.error(
                "unbounded-join",
                "the join with '\(name)' is bounded from \(side) '\(relations[first.relation].name)' is open",
                hint: hint, at: join.source.range)
            return
        }
        for each in closed {
            let limit = Limits.joinTicks / each.unit
            if each.low < -limit || each.high > limit || each.low > limit || each.high < -limit {
                binder.error(
                    "bound-too-long", "a join reaches at most 7 days",
                    hint: "DATEDIFF lies between \(-limit) and \(limit) of this unit", at: join.condition.range)
                return
            }
        }
        if let empty = closed.first(where: { $0.low > $0.high }) {
            binder.warn(
                "empty-bound",
                "no pair fits: DATEDIFF would have to be at least \(empty.low) and at most \(empty.high)",
                hint: "exchange the numbers", at: join.condition.range)
        }
        // A bound that is open on one side is checked pair by pair.
        for open in bound.bounds where open.low == .min || open.high == .max {
            bound.residual = bound.residual.joined(with: open.condition(right: right, range: join.condition.range))
        }
        bound.bounds = closed
    }

    /// Partitioned streams are joined on what they are partitioned by, into as many parts.
    private func checkPartitions(_ join: Syntax.Join, _ bound: BoundJoin, _ right: Int) {
        guard let from = syntax.from else { return }
        if !join.source.partitionKeys.isEmpty, !from.source.partitionKeys.isEmpty,
            let one = from.source.partitionCount, let other = join.source.partitionCount,
            case .integer(let first) = one.kind, case .integer(let second) = other.kind, first != second
        {
            binder.error(
                "partition-mismatch", "joined streams have as many partitions: \(first) there, \(second) here",
                hint: "write INTO \(first)", at: other.range)
        }
        let sides: [(Syntax.Source, Int, [Expression])] = [
            (from.source, 0, bound.keys.map(\.left)), (join.source, right, bound.keys.map(\.right)),
        ]
        for (source, relation, keys) in sides {
            let shown = Set(keys.map { $0.shown([]) })
            for key in partitionKeys[relation] ?? [] where !shown.contains(key.shown([])) {
                binder.error(
                    "partition-key", "'\(relations[relation].name)' is partitioned by what the join does not compare",
                    hint: "add an equality with the key of PARTITION BY to ON, or leave PARTITION BY out",
                    at: source.partitionKeys.first?.range ?? source.range)
                return
            }
        }
    }

    /// Substreams have timelines of their own: only rows of one substream can be brought into one order of time.
    private func checkSubstreamKeys(_ join: Syntax.Join, _ bound: BoundJoin, _ right: Int) {
        guard case .source(let source) = relations[right].kind else { return }
        let shown = Set(bound.keys.map { $0.right.shown([]) })
        for (index, key) in binder.sources[source].substreamKeys.enumerated() {
            let own = key.renumbered { $0 + right * ColumnID.relationStride }
            guard !shown.contains(own.shown([])) else { continue }
            binder.error(
                "substream-key", "the key of TIMESTAMP BY … OVER must be compared in ON",
                hint: "add an equality of both inputs' keys",
                at: join.source.substreamKeys.indices.contains(index)
                    ? join.source.substreamKeys[index].range : join.source.range)
        }
    }

    // MARK: APPLY

    func bind(_ apply: Syntax.Apply) {
        var kind = Relation.Kind.opaque
        var argument = broken(apply.function.range)
        defer {
            if relations.contains(where: { sameName($0.name, apply.alias.text) }) {
                binder.error(
                    "duplicate-alias", "two inputs are called '\(apply.alias.text)' here", hint: "give each an alias",
                    at: apply.alias.range)
            }
            relations.append(Relation(name: apply.alias.text, kind: kind, range: apply.range))
            fromParts.append(.apply(isOuter: apply.isOuter, argument: argument))
        }
        guard case .call(let call) = apply.function.kind else { return }
        let name = call.function.text
        guard call.name.count == 1, let function = ScalarCatalog.function(named: name), function.isForApply,
            let plan = ApplyPlan.Function(rawValue: function.name)
        else {
            binder.error(
                "invalid-apply", "APPLY takes GetArrayElements or GetRecordProperties, not \(name)",
                hint: nearestName(to: name, in: ["GetArrayElements", "GetRecordProperties"]).map {
                    "did you mean \($0)?"
                },
                at: apply.function.range)
            return
        }
        kind = .apply(plan)
        if call.arguments.count != 1 {
            binder.error(
                "wrong-argument-count", "\(function.name) takes 1 argument, not \(call.arguments.count)", at: call.range
            )
        }
        let arguments = call.arguments.map { bind($0, Place(clause: .apply)) }
        if let first = arguments.first { argument = first }
    }

    /// The rules of TIMESTAMP BY … OVER.
    func checkSubstreams(_ from: Syntax.From) {
        let joined = from.parts.compactMap { part -> Syntax.Source? in
            guard case .join(let join) = part else { return nil }
            return join.source
        }
        let streams = ([from.source] + joined).filter { source in
            relations.contains { relation in
                guard case .source = relation.kind else { return false }
                return relation.range == source.range
            }
        }
        guard let first = streams.first(where: { !$0.substreamKeys.isEmpty }) else { return }
        if let bare = streams.first(where: \.substreamKeys.isEmpty) {
            binder.error(
                "substreams-on-all",
                "TIMESTAMP BY … OVER stands on all inputs or on none; '\(bare.name.text)' has none",
                hint: "add OVER to it", at: bare.range)
        }
        if let grouping = syntax.grouping {
            let forms = comparison
            for key in first.substreamKeys where !grouping.contains(where: { forms.isSame($0, key) }) {
                binder.error(
                    "substream-key", "the key of TIMESTAMP BY … OVER must be a key of GROUP BY",
                    hint: "add it to GROUP BY", at: key.range)
            }
        }
    }
}
