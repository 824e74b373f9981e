import OgawaCore

/// A name that columns may be qualified with, and where its columns come from.
struct Relation {
    enum Kind {
        case source(Int)
        case step(Int)
        case reference
        case apply(ApplyPlan.Function)
        /// Unknown after an error, or columns that the binder does not follow yet.
        case opaque
    }

    var name: String
    /// The input's own name where an alias hides it.
    var hiddenName: String?
    var kind: Kind
    /// Why the input counts as a stream in a join; nil where it is reference data.
    var streamReason: String?
    /// The input's name as the project spells it.
    var input = ""
    /// Paths that are read from reference data, in the order in which they are first read.
    var fields: [[String]] = []
    /// ABSENCE over the input's own columns.
    var absence: AbsencePlan?
    var range: SourceRange
}

/// Where an expression stands, which decides what it may use.
struct Place {
    enum Clause: String {
        case select = "the select list"
        case predicate = "WHERE"
        case grouping = "GROUP BY"
        case having = "HAVING"
        case timestamp = "TIMESTAMP BY"
        case join = "ON"
        case partition = "PARTITION BY"
        case apply = "APPLY"
        case absence = "ABSENCE"
        case match = "MATCH_RECOGNIZE"
    }

    var clause: Clause
    /// Columns are those of the groups, not of the input.
    var isGrouped = false
    /// The aggregate function whose argument this is.
    var aggregate: String?
    /// The analytic function whose part this is.
    var analytic: String?
    /// How many aliases of the select list are visible.
    var aliasLimit = 0
    var depth = 0

    /// One level further down.
    var below: Place {
        var place = self
        place.depth += 1
        return place
    }
}

/// Binds one SELECT.
final class SelectBinder {
    struct Alias {
        var name: String
        var expression: Syntax.Expression
    }

    struct GroupKey {
        var syntax: Syntax.Expression
        var expression: Expression
    }

    /// Where the fields of a spread item come from, so that a later step can read one of them alone.
    enum SpreadOrigin {
        case source(Int, prefix: [String], relation: Int)
        case step(Int, item: Int, relation: Int)
        case reference(prefix: [String], relation: Int)
        case value(Expression)
    }

    unowned let binder: Binder
    let syntax: Syntax.Select
    var relations: [Relation] = []
    /// How the relations behind the first are added to it.
    var fromParts: [FromPart] = []
    /// PARTITION BY of each relation that has it.
    var partitionKeys: [Int: [Expression]] = [:]
    /// The other SELECTs of a UNION, where this is its first.
    var unionPeers: [SelectBinder] = []
    var overCalls: [OverCall] = []
    var overIndices: [String: Int] = [:]
    /// The search that this reads, where it stands for MATCH_RECOGNIZE.
    var matchPlan: MatchPlan?
    /// Set while DEFINE and MEASURES are bound.
    var matchScope: MatchScope?
    var predicate: Expression?
    var havingPredicate: Expression?
    var keys: [GroupKey] = []
    var aggregates: [AggregateCall] = []
    var aggregateIndices: [String: Int] = [:]
    var window: WindowPlan?
    var isGrouped: Bool { syntax.grouping != nil }
    var aliases: [Alias] = []
    /// Aliases by name; only the first of a name counts.
    var aliasIndices: [String: Int] = [:]
    /// Names that were read as fields, so that an alias of that name does not hide them.
    var fieldNames: Set<String> = []
    var items: [ProjectItem] = []
    var spreadOrigins: [Int: SpreadOrigin] = [:]
    var spreadColumns: [String: Int] = [:]
    /// The next number to try for a column that is named after its function.
    var derivedCounts: [String: Int] = [:]

    init(binder: Binder, syntax: Syntax.Select) {
        self.binder = binder
        self.syntax = syntax
    }

    /// The columns' names; nil where a spread hides them.
    var columnNames: [String]? {
        var names: [String] = []
        for item in items {
            guard case .named(let name) = item.kind else { return nil }
            names.append(name)
        }
        return names
    }

    // MARK: Clauses

    func bind() {
        guard syntax.items.count <= Limits.columnCount else {
            binder.error(
                "text-too-large", "a select list has at most \(Limits.columnCount) columns", at: syntax.keywordRange)
            return
        }
        bindFrom()
        if let condition = syntax.predicate {
            predicate = bind(condition, Place(clause: .predicate))
        }
        if let grouping = syntax.grouping { bind(grouping: grouping) }
        bindItems()
        if let condition = syntax.having {
            let place = Place(clause: .having, isGrouped: isGrouped, aliasLimit: aliases.count)
            bind(having: bind(condition, place))
        }
        warnAboutAliases()
    }

    /// HAVING filters groups; without GROUP BY it does what WHERE does.
    private func bind(having condition: Expression) {
        guard !isGrouped else {
            havingPredicate = condition
            return
        }
        predicate =
            predicate.map {
                Expression(.binary(.and, $0, condition), range: $0.range.union(condition.range))
            } ?? condition
    }

    /// An alias in WHERE or GROUP BY would silently read a field that the events do not have.
    private func warnAboutAliases() {
        guard fieldsAreOpen, !aliases.isEmpty else { return }
        let likely = likelyAliases
        let clauses = [("WHERE", syntax.predicate.map { [$0] } ?? []), ("GROUP BY", syntax.grouping ?? [])]
        for (clause, expressions) in clauses {
            for name in expressions.flatMap(\.plainNames) where likely.contains(name.text) {
                binder.warn(
                    "alias-not-visible",
                    "'\(name.text)' in \(clause) is the field of the event, not the column of the select list",
                    hint: "repeat the expression, or compute the column in a step of WITH", at: name.range)
            }
        }
    }

    /// Names that are known as aliases only: no item up to the one that defines them reads a field of that name.
    private var likelyAliases: Set<String> {
        var read: Set<String> = []
        var found: Set<String> = []
        for item in syntax.items {
            guard case .expression(let expression, let alias) = item else { continue }
            for name in expression.plainNames { read.insert(name.text) }
            if let alias, !read.contains(alias.text) { found.insert(alias.text) }
        }
        return found
    }

    /// Whether any name may be a field, because the input's fields are not declared.
    var fieldsAreOpen: Bool {
        relations.contains { relation in
            switch relation.kind {
            case .source: true
            case .step(let index): !binder.steps[index].spreads.isEmpty
            case .reference, .apply, .opaque: false
            }
        }
    }

    // MARK: FROM

    private func bindFrom() {
        guard let from = syntax.from else {
            binder.error(
                "no-from", "SELECT without FROM: every SELECT reads an input",
                hint: "add FROM and the name of a stream",
                at: syntax.keywordRange)
            relations = [Relation(name: "", kind: .opaque, range: syntax.keywordRange)]
            return
        }
        add(from.source)
        if from.parts.count > Limits.joinCount {
            binder.error(
                "text-too-large", "a SELECT has at most \(Limits.joinCount) joins", at: from.source.range)
        }
        for part in from.parts.prefix(Limits.joinCount) {
            switch part {
            case .join(let join): bind(join)
            case .apply(let apply): bind(apply)
            }
        }
        let hasStream = relations.contains { $0.streamReason != nil }
        if !from.parts.contains(where: \.isJoin), !hasStream, let relation = relations.first,
            case .reference = relation.kind
        {
            binder.error(
                "reference-alone", "'\(relation.name)' is reference data, which has no time of its own",
                hint: "read a stream and JOIN \(relation.name) to it", at: from.source.name.range)
        }
        checkSubstreams(from)
        checkSubstreamsOfSteps()
        if let match = from.matchRecognize { bind(match, joins: !from.parts.isEmpty) }
    }

    /// Binds an input with its timeline and makes it a relation.
    func add(_ source: Syntax.Source) {
        var relation = Relation(
            name: source.alias?.text ?? source.name.text, kind: .opaque, range: source.range)
        if source.alias != nil { relation.hiddenName = source.name.text }
        if relations.contains(where: { sameName($0.name, relation.name) }) {
            binder.error(
                "duplicate-alias", "two inputs are called '\(relation.name)' here", hint: "give each an alias",
                at: source.alias?.range ?? source.name.range)
        }
        switch binder.find(input: source.name) {
        case .step(let index):
            relation.kind = .step(index)
            relation.streamReason = "it is a step of WITH, and steps are streams"
            refuseTimeline(
                of: source, because: "'\(source.name.text)' is a step of WITH, whose rows have a time already")
        case .reference(let name):
            relation.kind = .reference
            relation.input = name
            refuseTimeline(of: source, because: "'\(source.name.text)' is reference data, which has no time")
        case .stream(let name):
            let index = binder.addSource(name, range: source.name.range)
            relation.kind = .source(index)
            relation.streamReason = "it is not among the project's reference data"
            bindTimeline(of: source, relation: &relation, index: index)
        case nil:
            break
        }
        bindAbsence(of: source, relation: &relation)
        relations.append(relation)
        checkPartitioning(of: source, relation: relation)
    }

    private func refuseTimeline(of source: Syntax.Source, because reason: String) {
        guard let range = source.timestampRange, let timestamp = source.timestamp else { return }
        binder.error(
            "misplaced-timestamp-by", "TIMESTAMP BY stands after a stream only: \(reason)", hint: "leave it out",
            at: range.union(timestamp.range))
    }

    private func bindTimeline(of source: Syntax.Source, relation: inout Relation, index: Int) {
        let others = relations
        relations = [relation]
        if let timestamp = source.timestamp {
            binder.sources[index].timestamp = bind(timestamp, Place(clause: .timestamp))
        }
        let keys = source.substreamKeys.map { bind($0, Place(clause: .timestamp)) }
        binder.sources[index].substreamKeys = keys
        if let late = source.lateOutput { binder.divertLate(of: index, to: late) }
        relation.kind = .source(binder.shareSource(index))
        relations = others
    }

    private func checkPartitioning(of source: Syntax.Source, relation: Relation) {
        let others = relations
        relations = [relation]
        let bound = source.partitionKeys.map { bind($0, Place(clause: .partition)) }
        relations = others
        let index = relations.count - 1
        partitionKeys[index] = bound.map { key in key.renumbered { $0 + index * ColumnID.relationStride } }
        guard let count = source.partitionCount else { return }
        guard case .integer(let number) = count.kind, number > 1 else {
            binder.error(
                "invalid-partition-count", "PARTITION BY … INTO needs a whole number greater than 1", at: count.range)
            return
        }
    }

    // MARK: GROUP BY

    private func bind(grouping: [Syntax.Expression]) {
        guard grouping.count <= Limits.groupKeyCount else {
            binder.error(
                "text-too-large", "GROUP BY has at most \(Limits.groupKeyCount) keys",
                at: syntax.groupRange ?? syntax.range)
            return
        }
        var windows: [Syntax.Call] = []
        var timestamps: [Syntax.Expression] = []
        for key in grouping {
            if let call = key.windowCall {
                windows.append(call)
                continue
            }
            if key.isSystemTimestamp { timestamps.append(key) }
            let expression = bind(key, Place(clause: .grouping))
            keys.append(GroupKey(syntax: key, expression: expression))
        }
        let range = syntax.groupRange ?? syntax.range
        if windows.count > 1 {
            binder.error(
                "several-windows", "GROUP BY has \(windows.count) windows; exactly one is possible",
                hint: "Windows(w1, w2) gives the rows of both", at: windows[1].range)
        } else if let call = windows.first {
            window = bind(window: call)
        } else if !timestamps.isEmpty {
            window = .snapshot
            keys.removeAll { $0.syntax.isSystemTimestamp }
        } else if let key = grouping.first(where: \.containsSystemTimestamp) {
            binder.error(
                "no-window", "an expression over System.Timestamp() is not a window, and GROUP BY needs one",
                hint: "add a window such as TumblingWindow(minute, 1)", at: key.range)
        } else {
            binder.error(
                "no-window", "GROUP BY needs a window, because a stream does not end",
                hint: "add a window such as TumblingWindow(minute, 1)", at: range)
        }
    }
}
