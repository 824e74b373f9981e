import Ogawa

extension SQLBench {
    /// The figures as tables, one after the other.
    func lines(width: Int) -> [String] {
        var lines: [String] = []
        for (title, figures) in figures {
            lines += ["", title]
            var table = TableWriter(width: width) { lines.append($0) }
            for figure in figures { table.add(figure.members) }
            table.finish()
        }
        return lines
    }

    /// The figures as one value.
    var json: JSONValue {
        .array(
            figures.map { title, figures in
                .object([
                    JSONMember("title", .string(title)),
                    JSONMember("figures", .array(figures.map { .object($0.fields) })),
                ])
            })
    }
}

extension SQLFigure {
    fileprivate var members: [JSONMember] {
        var members = [JSONMember("figure", .string(name))]
        if let cost {
            members.append(JSONMember("s of processor per million", .string(Figure.fixed(cost.cpuPerMillion, 2))))
            members.append(JSONMember("events/s", .string(Figure.grouped(Int64(cost.eventsPerSecond)))))
            members.append(JSONMember("peak", .string(cost.peakResidentByteCount.map { Figure.bytes($0) } ?? "")))
        }
        members.append(JSONMember("note", .string(note)))
        return members
    }

    fileprivate var fields: [JSONMember] {
        var members = [JSONMember("figure", .string(name)), JSONMember("note", .string(note))]
        guard let cost else { return members }
        members.append(JSONMember("cpuSecondsPerMillion", .float(cost.cpuPerMillion)))
        members.append(JSONMember("eventsPerSecond", .float(cost.eventsPerSecond)))
        members.append(JSONMember("events", .integer(Int64(cost.eventCount))))
        members.append(JSONMember("rows", .integer(Int64(cost.rowCount))))
        if let peak = cost.peakResidentByteCount { members.append(JSONMember("peakResidentBytes", .integer(peak))) }
        if let held = cost.heldByteCount { members.append(JSONMember("heldBytes", .integer(held))) }
        return members
    }
}
