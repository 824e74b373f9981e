import OgawaCore
import OgawaSQL

/// The rows of one batch as one call with OVER reads them.
///
/// **Isolation.** Valid during ``OverState/process(_:)`` only.
struct OverRows {
    let count: Int
    /// The event time of each row; never falling among the rows of one key.
    let times: UnsafePointer<Int64>
    /// The key number of each row.
    let keys: UnsafePointer<UInt32>
    let arguments: [Operand]
    /// The values of ORDER BY.
    let order: [Operand]
    /// Which rows satisfy WHEN; nil: all of them.
    let takesPart: ActiveRows
    /// For failures, and for text made on the way.
    let context: EvaluationContext

    /// Whether a row satisfies WHEN.
    @inline(__always)
    func takesPart(_ row: Int) -> Bool { isActive(takesPart, row) }
}

/// What a call with OVER remembers, for all keys, and how it makes its column.
///
/// **Isolation.** Owned by one ``Over``.
class OverState {
    /// The call's values, one per row of the batch; overwritten by each batch.
    let result: Column

    init(heap: TextHeap) { result = Column(heap: heap) }

    /// Makes room for the state of `count` keys.
    func reserveKeys(_ count: Int) {}

    /// Fills ``result`` with a value per row and remembers what later rows need.
    func process(_ rows: OverRows) {
        // SAFETY: only subclasses are made, and each of them overrides this.
        preconditionFailure("OverState: a subclass processes")
    }

    /// Writes what is remembered between batches.
    func save(to writer: inout StateWriter) {}

    /// Takes what ``save(to:)`` of a state of the same call wrote; called once, before the first row.
    func restore(from reader: inout StateReader) throws {}

    /// Empties ``result`` before it is filled row by row.
    final func startResult(_ rows: OverRows) {
        result.finish(count: 0, tagSet: [])
        result.reserve(rows.count)
    }
}

extension OverCall {
    /// The state of a call, for rows whose text lives on `heap`.
    func makeState(heap: TextHeap) throws -> OverState {
        if let anomaly = function.anomalyState(self, heap: heap) { return anomaly }
        return switch function {
        case .minimum where isText, .maximum where isText:
            // The best text is the first in order, NULL aside.
            SortedState(
                self, .percentile(share: 0, isContinuous: false), isDescending: [function == .maximum],
                ordersText: true,
                heap: heap)
        case .count, .sum, .average, .minimum, .maximum: SlidingAggregate(self, heap: heap)
        case .deviation(let isSample, let isRoot):
            DeviationState(self, isSample: isSample, isRoot: isRoot, heap: heap)
        case .percentile(let share, let isContinuous):
            sorted(.percentile(share: share, isContinuous: isContinuous), heap)
        case .topOne: sorted(.topOne, heap)
        case .collectTop(let count): sorted(.collectTop(count: count), heap)
        case .collect: CollectState(self, heap: heap)
        case .first: FirstState(self, heap: heap)
        case .last: LastState(self, heap: heap)
        case .lag(let offset): LagState(self, offset: offset, heap: heap)
        case .isFirst(let interval): FirstOfIntervalState(interval: interval, heap: heap)
        case .rowNumber where !order.isEmpty: sorted(.rowNumber, heap)
        case .rowNumber: frame == .all ? CountingState(heap: heap) : RecentNumberState(self, heap: heap)
        case .hadChanged: ChangeState(self, givesValue: false, heap: heap)
        case .changed: ChangeState(self, givesValue: true, heap: heap)
        case .spikeAndDip, .changePoint: throw EngineError("\(function.name) has no state", range: range)
        }
    }

    private func sorted(_ function: SortedFunction, _ heap: TextHeap) -> OverState {
        SortedState(self, function, isDescending: order.map(\.isDescending), heap: heap)
    }

    /// Whether the argument is text by its form, so that MIN and MAX compare it as text; any other text must spell a number.
    private var isText: Bool {
        guard case .cast(_, .text, _)? = arguments.first?.kind else { return false }
        return true
    }

    /// The values by which the frame is sorted.
    var sortExpressions: [Expression] {
        switch function {
        case .minimum where isText, .maximum where isText: arguments
        default: order.map(\.expression)
        }
    }

    /// Whether the arguments are wanted only of rows that satisfy WHEN, so that they must not fail on others.
    var readsChosenRowsOnly: Bool {
        switch function {
        case .hadChanged, .changed: false
        case .last, .lag: arguments.count == 1
        default: true
        }
    }
}
