import OgawaCore

/// Readings of devices, and what windows make of them by definition; times are milliseconds.
struct GroupModel {
    struct Reading {
        var index: Int
        var device: Int
        var milliseconds: Int
        /// Twice the value, so that sums of values are exact.
        var value: Int?
        /// 0 to 3.
        var state: Int
    }

    /// The rows of one group of one window.
    struct Group {
        var start: Int
        var end: Int
        var held: [Reading]
    }

    let readings: [Reading]

    /// Readings in order of time, many of them at one instant.
    init(seed: UInt64, count: Int, gaps: [Int] = [0, 0, 1, 250, 500, 1000, 1000, 7000]) {
        var generator = SeededGenerator(seed: seed)
        var time = 0
        readings = (0..<count).map { index in
            time += gaps.randomElement(using: &generator) ?? 0
            let isNull = Int.random(in: 0..<10, using: &generator) == 0
            return Reading(
                index: index, device: .random(in: 0..<4, using: &generator), milliseconds: time,
                value: isNull ? nil : .random(in: -50...50, using: &generator),
                state: .random(in: 0..<4, using: &generator))
        }
    }

    private init(_ readings: [Reading]) { self.readings = readings }

    /// The same readings in another order of arrival, and what they are when sorted by time again.
    func disordered(seed: UInt64) -> (arriving: GroupModel, sorted: GroupModel) {
        var generator = SeededGenerator(seed: seed)
        var arriving = readings
        for index in arriving.indices.dropLast() where Bool.random(using: &generator) {
            arriving.swapAt(index, min(arriving.count - 1, index + .random(in: 1...3, using: &generator)))
        }
        let order = arriving.indices.sorted {
            (arriving[$0].milliseconds, $0) < (arriving[$1].milliseconds, $1)
        }
        return (GroupModel(arriving), GroupModel(order.map { arriving[$0] }))
    }

    var events: [TestEvent] {
        readings.map { reading in
            let value = reading.value.map { "\(Double($0) / 2)" } ?? "null"
            return TestEvent(
                body: "{\"d\":\"dev-\(reading.device)\",\"ts\":\"\(at(reading.milliseconds))\",\"v\":\(value),"
                    + "\"i\":\(reading.index),\"s\":\(reading.state)}")
        }
    }

    // MARK: Windows

    /// The groups by device of rows of one window, in order of first appearance.
    private func groups(_ held: [Reading], start: Int, end: Int) -> [Group] {
        var order: [Int] = []
        for reading in held where !order.contains(reading.device) { order.append(reading.device) }
        return order.map { device in Group(start: start, end: end, held: held.filter { $0.device == device }) }
    }

    private func held(after start: Int, upTo end: Int) -> [Reading] {
        readings.filter { $0.milliseconds > start && $0.milliseconds <= end }
    }

    private var lastTime: Int { readings.last?.milliseconds ?? 0 }

    /// Ends at multiples of the hop; `at(0)` is a multiple of every hop that divides a day.
    func hopping(size: Int, hop: Int) -> [Group] {
        stride(from: 0, through: lastTime + size, by: hop).flatMap { end in
            groups(held(after: end - size, upTo: end), start: end - size, end: end)
        }
    }

    func cumulating(size: Int, step: Int) -> [Group] {
        stride(from: 0, through: lastTime + size, by: step).flatMap { end in
            let start = Int((Double(end) / Double(size)).rounded(.up)) * size - size
            return groups(held(after: start, upTo: end), start: start, end: end)
        }
    }

    func snapshot() -> [Group] {
        Set(readings.map(\.milliseconds)).sorted().flatMap { time in
            groups(held(after: time - 1, upTo: time), start: time, end: time)
        }
    }

    func sliding(size: Int) -> [Group] {
        let times = Set(readings.flatMap { [$0.milliseconds, $0.milliseconds + size] }).sorted()
        return times.flatMap { time in
            groups(held(after: time - size, upTo: time), start: time - size, end: time).filter { group in
                let device = group.held[0].device
                return readings.contains { reading in
                    reading.device == device
                        && (reading.milliseconds == time || reading.milliseconds + size == time)
                }
            }
        }
    }

    func triggered(before: Int, after: Int, isPartitioned: Bool) -> [Group] {
        var result: [Group] = []
        var seen: Set<[Int]> = []
        for trigger in readings where trigger.state == 1 {
            let partition = isPartitioned ? trigger.device : -1
            guard seen.insert([trigger.milliseconds, partition]).inserted else { continue }
            let (start, end) = (trigger.milliseconds - before, trigger.milliseconds + after)
            let rows = held(after: start, upTo: end).filter { !isPartitioned || $0.device == trigger.device }
            result += groups(rows, start: start, end: end)
        }
        return result
    }

    func sessions(timeout: Int, maximum: Int, isPartitioned: Bool) -> [Group] {
        var result: [(number: Int, groups: [Group])] = []
        for partition in isPartitioned ? Array(0..<4) : [-1] {
            let rows = readings.filter { partition < 0 || $0.device == partition }
            var open: [Reading] = []
            var start = 0
            var cut: Int?
            func end() -> Int {
                let checkpoint = Int((Double(start + maximum) / Double(maximum)).rounded(.up)) * maximum
                return min((open.last?.milliseconds ?? 0) + timeout, checkpoint)
            }
            func close() {
                guard let first = open.first, let last = open.last else { return }
                let end = end()
                result.append((first.index, groups(open, start: start, end: end)))
                cut = end < last.milliseconds + timeout || end % maximum == 0 && end - start >= maximum ? end : nil
                open = []
            }
            var previous: Int?
            for row in rows {
                if !open.isEmpty, row.milliseconds > end() { close() }
                if open.isEmpty {
                    start = row.milliseconds
                    if let cut, let previous, row.milliseconds - previous <= timeout {
                        start = cut
                        while start + maximum < row.milliseconds { start += maximum }
                    }
                    cut = nil
                }
                open.append(row)
                previous = row.milliseconds
            }
            close()
        }
        let places = Dictionary(uniqueKeysWithValues: readings.enumerated().map { ($1.index, $0) })
        return result.sorted { first, second in
            (first.groups[0].end, places[first.number] ?? 0) < (second.groups[0].end, places[second.number] ?? 0)
        }.flatMap(\.groups)
    }

    func counting(size: Int, step: Int) -> [Group] {
        var result: [(place: Int, group: Group)] = []
        for device in 0..<4 {
            let rows = readings.enumerated().filter { $1.device == device }
            for first in stride(from: 0, to: rows.count, by: step) where first + size <= rows.count {
                let window = rows[first..<first + size]
                guard let oldest = window.first, let newest = window.last else { continue }
                result.append(
                    (
                        newest.offset,
                        Group(
                            start: oldest.element.milliseconds, end: newest.element.milliseconds,
                            held: window.map(\.element))
                    ))
            }
        }
        return result.sorted { $0.place < $1.place }.map(\.group)
    }

    /// From state 1 to state 2, or while the state is above 1.
    func states(hasClose: Bool) -> [Group] {
        var open: [Int: [Reading]] = [:]
        var result: [Group] = []
        for reading in readings {
            let isOpening = hasClose ? reading.state == 1 : reading.state > 1
            var held = open[reading.device]
            if held == nil, isOpening { held = [] }
            guard var rows = held else { continue }
            if hasClose || isOpening { rows.append(reading) }
            if hasClose ? reading.state == 2 : !isOpening {
                result.append(Group(start: rows[0].milliseconds, end: reading.milliseconds, held: rows))
                open[reading.device] = nil
            } else {
                open[reading.device] = rows
            }
        }
        return result
    }
}

// MARK: Aggregates

extension GroupModel.Group {
    /// The select list that ``row`` tells the result of.
    static let selectList = """
        d, COUNT(*) AS n, COUNT(v) AS c, COUNT(DISTINCT v) AS u, SUM(v) AS s, SUM(DISTINCT v) AS x, MIN(v) AS lo,
        MAX(v) AS hi, FIRST(v) AS f, LAST(i) AS l, PERCENTILE_CONT(0.25) OVER (ORDER BY v) AS p,
        PERCENTILE_DISC(0.6) OVER (ORDER BY v DESC) AS q, TopOne(i) OVER (ORDER BY v DESC) AS t,
        CollectTop(2, i) OVER (ORDER BY v, s DESC) AS top, Collect(i) AS a, COUNT(*) FILTER (WHERE s = 1) AS m,
        FIRST(i) FILTER (WHERE s > 1) AS g, window_start() AS ws, System.Timestamp() AS we
        """

    private static func shown(_ number: Double?) -> String { number.map { "\($0)" } ?? "null" }

    private static func shown(_ number: Int?) -> String { number.map { "\($0)" } ?? "null" }

    /// The row as JSON.
    var row: String {
        let values = held.compactMap { $0.value.map { Double($0) / 2 } }
        let different = Set(values)
        let sorted = values.sorted()
        // NULL is below every value; of equals the earlier one comes first.
        func rank(_ reading: GroupModel.Reading) -> Int { reading.value ?? -1000 }
        let byValue = held.enumerated().sorted { first, second in
            (rank(first.element), -first.element.state, first.offset)
                < (rank(second.element), -second.element.state, second.offset)
        }.map(\.element.index)
        let best = held.map(rank).max() ?? 0
        let top = byValue.prefix(2).enumerated().map { "{\"rank\":\($0 + 1),\"value\":\($1)}" }
        let columns = [
            "\"d\":\"dev-\(held[0].device)\"", "\"n\":\(held.count)", "\"c\":\(values.count)",
            "\"u\":\(different.count)", "\"s\":\(Self.shown(values.isEmpty ? nil : values.reduce(0, +)))",
            "\"x\":\(Self.shown(different.isEmpty ? nil : different.reduce(0, +)))",
            "\"lo\":\(Self.shown(sorted.first))", "\"hi\":\(Self.shown(sorted.last))",
            "\"f\":\(Self.shown(held[0].value.map { Double($0) / 2 }))", "\"l\":\(held[held.count - 1].index)",
            "\"p\":\(Self.shown(continuous(sorted, 0.25)))", "\"q\":\(Self.shown(discrete(sorted.reversed(), 0.6)))",
            "\"t\":\(Self.shown(held.first { rank($0) == best }?.index))",
            "\"top\":[\(top.joined(separator: ","))]",
            "\"a\":[\(held.map { "\($0.index)" }.joined(separator: ","))]",
            "\"m\":\(held.filter { $0.state == 1 }.count)",
            "\"g\":\(Self.shown(held.first { $0.state > 1 }?.index))", "\"ws\":\"\(at(start))\"",
            "\"we\":\"\(at(end))\"",
        ]
        return "{\(columns.joined(separator: ","))}"
    }

    private func continuous(_ sorted: [Double], _ share: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let place = share * Double(sorted.count - 1)
        let low = Int(place)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
    }

    private func discrete(_ sorted: [Double], _ share: Double) -> Double? {
        sorted.enumerated().first { Double($0.offset + 1) / Double(sorted.count) >= share }?.element
    }

    /// The variance of the population; nil without values.
    var variance: Double? {
        let values = held.compactMap { $0.value.map { Double($0) / 2 } }
        guard !values.isEmpty else { return nil }
        let mean = values.reduce(0, +) / Double(values.count)
        return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    }
}
