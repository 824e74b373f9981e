// From names to columns. The binder looks every name up, checks what the language demands, and goes on after an error, so
// that one run finds them all. Columns of a source are numbered in the order in which they are first read, and calls
// with OVER from `ColumnID.overBase`; `Binder+Plan.swift` turns these numbers into positions once all are known.

import OgawaCore

/// Column numbers that become positions only when the plan is made.
enum ColumnID {
    static let overBase = 1_000_000
    static let windowStart = 2_000_000
    static let windowEnd = 2_000_001
    static let windowID = 2_000_002
}

/// Binds one text.
final class Binder {
    let catalog: Catalog
    var errors: [Diagnostic] = []
    var warnings: [Diagnostic] = []
    var sources: [SourcePlan] = []
    private var sourceColumns: [[SourceField: Int]] = []
    private var sourceKeys: [String: Int] = [:]
    /// Where the events go that miss a source's timeline.
    private(set) var lateOutputs: [Int: Syntax.Name] = [:]
    var steps: [BoundStep] = []
    private var stepIndices: [String: Int] = [:]
    var statements: [BoundStatement] = []
    /// CREATE TABLE by input.
    var tables: [String: Table] = [:]
    var nodeCount = 0
    private var isTooLargeReported = false

    init(catalog: Catalog) {
        self.catalog = catalog
    }

    // MARK: Findings

    func error(_ code: String, _ message: String, hint: String? = nil, at range: SourceRange) {
        errors.append(Diagnostic(code: code, message: message, hint: hint, range: range))
    }

    func warn(_ code: String, _ message: String, hint: String? = nil, at range: SourceRange) {
        guard warnings.count < Limits.diagnosticCount else { return }
        warnings.append(Diagnostic(.warning, code: code, message: message, hint: hint, range: range))
    }

    /// Reports a construct of the language that the engine does not compute yet.
    func notYet(_ construct: String, hint: String? = nil, at range: SourceRange) {
        error("not-supported-yet", "\(construct) is not there yet", hint: hint, at: range)
    }

    /// `did you mean x?` for the nearest candidate, or the list of what there is.
    func suggestion(for name: String, in candidates: [String], what: String) -> String? {
        guard errors.count <= Limits.diagnosticCount else { return nil }
        if let near = nearestName(to: name, in: candidates) { return "did you mean \(near)?" }
        guard !candidates.isEmpty, candidates.count <= 12 else { return nil }
        return "\(what): \(candidates.joined(separator: ", "))"
    }

    /// Counts a bound node; false where the text grew too large or has more errors than anybody reads.
    func countNode(at range: SourceRange) -> Bool {
        nodeCount += 1
        guard errors.count <= 2 * Limits.diagnosticCount else { return false }
        guard nodeCount > Limits.boundNodeCount else { return true }
        if !isTooLargeReported {
            isTooLargeReported = true
            error(
                "text-too-large", "the expressions of this text have more than \(Limits.boundNodeCount) parts",
                hint: "an alias that is used by other aliases is computed again for each; use a step of WITH",
                at: range)
        }
        return false
    }

    // MARK: Script

    /// Binds everything; `isComplete` is false where the parser had to leave parts out.
    func bind(_ script: Script, isComplete: Bool) {
        guard isWithinLimits(script) else { return }
        for table in script.tables { bind(table) }
        for step in script.steps { bind(step) }
        for query in script.statements { bind(statement: query) }
        if script.statements.isEmpty, isComplete, errors.isEmpty {
            let range = script.steps.first?.range ?? SourceRange(0, 0)
            error(
                "no-select", "the text has no SELECT that feeds an output",
                hint: "write SELECT … INTO output FROM input", at: range)
        }
    }

    private func isWithinLimits(_ script: Script) -> Bool {
        if script.steps.count > Limits.stepCount {
            error(
                "text-too-large", "the text has more than \(Limits.stepCount) steps",
                hint: "split it into several functions", at: script.steps[Limits.stepCount].name.range)
            return false
        }
        guard script.statements.count > Limits.statementCount else { return true }
        error(
            "text-too-large", "the text has more than \(Limits.statementCount) statements",
            hint: "split it into several functions", at: script.statements[Limits.statementCount].range)
        return false
    }

    private func bind(_ step: Syntax.Step) {
        let key = step.name.text.lowercased()
        if let earlier = stepIndices[key] {
            error(
                "duplicate-step", "there are two steps named '\(step.name.text)'",
                hint: "'\(steps[earlier].name.text)' stands before it; give one of them another name",
                at: step.name.range)
        }
        let isDuplicate = stepIndices[key] != nil
        var bound = BoundStep(name: step.name)
        if let query = step.query {
            for select in query.selects {
                guard let into = select.into else { continue }
                error(
                    "into-in-step", "INTO does not stand inside WITH",
                    hint: "write SELECT * INTO \(into.text) FROM \(step.name.text) after the steps", at: into.range)
            }
            let select = bind(query: query)
            // Which of two steps a later name means is unknown, so that none of its columns can be wrong.
            if !isDuplicate { bound.finish(select) }
        }
        stepIndices[key] = steps.count
        steps.append(bound)
    }

    /// Adds a step that no text can name and gives its number.
    func addHiddenStep(_ name: Syntax.Name, _ select: SelectBinder) -> Int {
        var bound = BoundStep(name: name)
        bound.finish(select)
        steps.append(bound)
        return steps.count - 1
    }

    private func bind(statement query: Syntax.Query) {
        guard let select = bind(query: query) else { return }
        let into = query.selects.first?.into
        for later in query.selects.dropFirst() {
            guard let name = later.into, !sameName(name.text, into?.text ?? "") else { continue }
            error(
                "misplaced-into", "the SELECTs of a UNION feed one output",
                hint: "write INTO in the first SELECT only", at: name.range)
        }
        let output = into?.text ?? "output"
        let range = into?.range ?? select.syntax.keywordRange
        checkOutput(output, isWritten: into != nil, at: range)
        statements.append(BoundStatement(output: output, range: range, select: select))
    }

    private func checkOutput(_ output: String, isWritten: Bool, at range: SourceRange) {
        if let outputs = catalog.outputs, !outputs.contains(where: { sameName($0, output) }) {
            let hint = suggestion(for: output, in: outputs, what: "outputs")
            if !isWritten {
                error(
                    "unknown-output", "there is no output named 'output', where a SELECT without INTO goes",
                    hint: "add INTO and the name of an output" + (hint.map { "; \($0)" } ?? ""), at: range)
            } else {
                error("unknown-output", "there is no output '\(output)'", hint: hint, at: range)
            }
        }
    }

    /// LATE INTO: gives the events that miss a source's timeline an output.
    func divertLate(of source: Int, to output: Syntax.Name) {
        checkOutput(output.text, isWritten: true, at: output.range)
        sources[source].divertsLate = true
        _ = column(.body(path: []), of: source)
        lateOutputs[source] = output
    }

    /// Binds every SELECT of a query and gives the first.
    private func bind(query: Syntax.Query) -> SelectBinder? {
        let selects = query.selects.map { syntax in
            let select = SelectBinder(binder: self, syntax: syntax)
            select.bind()
            return select
        }
        guard let first = selects.first else { return nil }
        for other in selects.dropFirst() {
            checkUnion(first, other)
            checkSubstreams(first, other)
        }
        first.unionPeers = Array(selects.dropFirst())
        return first
    }

    // MARK: Sources

    /// The number of a source's column.
    func column(_ field: SourceField, of source: Int) -> Int {
        let field = declared(field, of: source)
        if let known = sourceColumns[source][field] { return known }
        let index = sources[source].fields.count
        sources[source].fields.append(field)
        sourceColumns[source][field] = index
        return index
    }

    /// Adds a source; ``shareSource(_:)`` replaces it by an equal one.
    func addSource(_ input: String, range: SourceRange) -> Int {
        sources.append(SourcePlan(input: input, inputRange: range))
        sourceColumns.append([:])
        declareTypes(of: sources.count - 1)
        return sources.count - 1
    }

    /// The source that reads the same input with the same timeline as the newest one, which is then dropped.
    func shareSource(_ newest: Int) -> Int {
        let source = sources[newest]
        let names = source.fields.map(\.shown)
        var key = source.input + "\n" + (source.timestamp?.shown(names) ?? "")
        key += "\n" + (lateOutputs[newest]?.text.lowercased() ?? "")
        for substream in source.substreamKeys { key += "\n" + substream.shown(names) }
        if let known = sourceKeys[key], newest == sources.count - 1 {
            sources.removeLast()
            sourceColumns.removeLast()
            lateOutputs[newest] = nil
            return known
        }
        sourceKeys[key] = newest
        return newest
    }

    // MARK: Inputs

    enum Input {
        case step(Int)
        case stream(String)
        case reference(String)
    }

    /// What a name in FROM stands for; nil after an error.
    func find(input name: Syntax.Name) -> Input? {
        if let step = stepIndices[name.text.lowercased()] { return .step(step) }
        if let stream = spelling(of: name.text, in: catalog.streams) { return .stream(stream) }
        if let reference = spelling(of: name.text, in: catalog.references) { return .reference(reference) }
        if catalog.acceptsAnyStream { return .stream(name.text) }
        let known = steps.map(\.name.text) + catalog.streams + catalog.references
        error(
            "unknown-input", "there is no input or step '\(name.text)'",
            hint: known.isEmpty
                ? "no streams are known" : suggestion(for: name.text, in: known, what: "inputs and steps"),
            at: name.range)
        return nil
    }

    private func spelling(of name: String, in names: [String]) -> String? {
        names.first { $0 == name } ?? names.first { sameName($0, name) }
    }
}

/// A step with its columns.
struct BoundStep {
    let name: Syntax.Name
    /// nil where the step could not be read: it may have any column.
    private(set) var select: SelectBinder?
    /// How many of the SELECT's items the text wrote; the rest are fields that later steps read through `*`.
    private(set) var visibleCount = 0
    private var exact: [String: Int] = [:]
    private var caseless: [String: Int] = [:]
    /// Items that stand for a record's fields.
    private(set) var spreads: [Int] = []

    init(name: Syntax.Name) {
        self.name = name
    }

    mutating func finish(_ select: SelectBinder?) {
        guard let select else { return }
        self.select = select
        visibleCount = select.items.count
        for (index, item) in select.items.enumerated() {
            guard case .named(let name) = item.kind else {
                spreads.append(index)
                continue
            }
            if exact[name] == nil { exact[name] = index }
            if caseless[name.lowercased()] == nil { caseless[name.lowercased()] = index }
        }
    }

    /// The item of a name: exact spelling first, then without regard to case.
    func column(named name: String) -> Int? { exact[name] ?? caseless[name.lowercased()] }

    var columnNames: [String] {
        (select?.items.prefix(visibleCount) ?? []).compactMap {
            guard case .named(let name) = $0.kind else { return nil }
            return name
        }
    }
}

/// A SELECT that feeds an output.
struct BoundStatement {
    var output: String
    var range: SourceRange
    var select: SelectBinder
}
