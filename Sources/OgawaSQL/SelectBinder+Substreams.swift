import OgawaCore

// Rows of substreams (TIMESTAMP BY … OVER) have a timeline each, so that they stand beside rows of substreams only.
extension SelectBinder {
    /// Whether the rows of FROM have a timeline per substream; nil where an error leaves that open.
    var hasSubstreams: Bool? {
        for relation in relations {
            if let found = hasSubstreams(relation) { return found }
        }
        return nil
    }

    private func hasSubstreams(_ relation: Relation) -> Bool? {
        switch relation.kind {
        case .source(let index): !binder.sources[index].substreamKeys.isEmpty
        case .step(let index): binder.steps[index].select?.hasSubstreams
        case .reference, .apply, .opaque: nil
        }
    }

    /// Reports a join of rows with substreams and rows without, where one of them comes from a step; ``checkSubstreams(_:)`` sees the streams.
    func checkSubstreamsOfSteps() {
        let known = relations.compactMap { relation in hasSubstreams(relation).map { (relation, $0) } }
        guard let (first, isExpected) = known.first, let (other, _) = known.first(where: { $0.1 != isExpected }),
            first.isStep || other.isStep
        else { return }
        let (with, without) = isExpected ? (first, other) : (other, first)
        binder.error(
            "substreams-on-all",
            "TIMESTAMP BY … OVER stands behind all inputs that are joined or behind none; '\(with.name)' has it, '\(without.name)' has not",
            hint: "add OVER to the other, or leave it out of both", at: other.range)
    }
}

extension Relation {
    fileprivate var isStep: Bool {
        if case .step = kind { return true }
        return false
    }
}

extension Binder {
    /// Reports a SELECT of a UNION whose rows have substreams where those of the first have none, or the reverse.
    func checkSubstreams(_ first: SelectBinder, _ other: SelectBinder) {
        guard let isExpected = first.hasSubstreams, let found = other.hasSubstreams, found != isExpected else { return }
        let (with, without) = found ? ("this SELECT", "the first") : ("the first SELECT", "this one")
        error(
            "substreams-on-all",
            "TIMESTAMP BY … OVER stands on all inputs of a UNION or on none; \(with) has it, \(without) has not",
            hint: "add OVER to the other, or leave it out of both", at: other.syntax.range)
    }
}
