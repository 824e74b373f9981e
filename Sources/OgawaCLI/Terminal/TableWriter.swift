// Rows as a table with lines around them, at most as wide as the terminal.
//
// Widths come from the first rows, which are held back until there are enough of them or no more; later rows are fitted into
// these widths, so that a result of any length shows as it comes.

import Ogawa

/// Draws rows whose columns need not be known in advance.
package struct TableWriter {
    private let width: Int
    private let heldRowCount: Int
    private let emit: (String) -> Void
    private var columns: [String] = []
    private var held: [[JSONMember]] = []
    private var widths: [Int] = []
    private var hiddenCount = 0
    private var isOpen = false
    private var rightAligned: [Bool] = []

    /// - Parameter width: columns of the terminal.
    /// - Parameter emit: gets each finished line.
    package init(width: Int, heldRowCount: Int = 500, columns: [String] = [], emit: @escaping (String) -> Void) {
        self.width = max(width, 20)
        self.heldRowCount = heldRowCount
        self.columns = columns
        self.emit = emit
    }

    /// Adds a row; a column that the open table lacks begins a new table.
    package mutating func add(_ row: [JSONMember]) {
        if isOpen {
            if row.allSatisfy({ columns.contains($0.name) }) {
                drawRow(row)
                return
            }
            finish()
        }
        held.append(row)
        for member in row where !columns.contains(member.name) { columns.append(member.name) }
        if held.count >= heldRowCount { open() }
    }

    /// Draws what is held back and the last line.
    package mutating func finish() {
        if !held.isEmpty || (!isOpen && !columns.isEmpty) { open() }
        if isOpen { drawRule("└", "┴", "┘") }
        isOpen = false
        columns = []
    }

    private mutating func open() {
        isOpen = true
        let cells = held.map { row in columns.map { name in TableWriter.cell(row.first { $0.name == name }?.value) } }
        rightAligned = columns.map { name in
            let values = held.compactMap { row in row.first { $0.name == name }?.value }.filter { $0 != .null }
            return !values.isEmpty && values.allSatisfy(TableWriter.isNumber)
        }
        var wanted = columns.map { DisplayText.width(DisplayText.plain($0)) }
        for row in cells {
            for (index, cell) in row.enumerated() { wanted[index] = max(wanted[index], DisplayText.width(cell)) }
        }
        fitWidths(wanted)
        drawRule("┌", "┬", "┐")
        draw(columns.map { DisplayText.plain($0) }, isHead: true)
        drawRule("├", "┼", "┤")
        for row in cells { draw(row) }
        held = []
    }

    /// Narrows the widest columns until the table fits; leaves columns out at the right where even that is not enough.
    private mutating func fitWidths(_ wanted: [Int]) {
        widths = wanted.map { max(1, $0) }
        let shown = max(1, min(widths.count, (width - 1) / 6))
        hiddenCount = widths.count - shown
        widths = Array(widths.prefix(shown))
        while widths.reduce(1, { $0 + $1 + 3 }) > width,
            let widest = widths.indices.max(by: { widths[$0] < widths[$1] }),
            widths[widest] > 3
        {
            widths[widest] -= 1
        }
    }

    private func drawRow(_ row: [JSONMember]) {
        draw(columns.map { name in TableWriter.cell(row.first { $0.name == name }?.value) })
    }

    private func draw(_ cells: [String], isHead: Bool = false) {
        var line = "│"
        for (index, width) in widths.enumerated() {
            let cell = DisplayText.fit(cells[index], width: width, right: rightAligned[index])
            line += " \(isHead ? Style.output.paint(cell, bold: true) : cell) │"
        }
        emit(line + (isHead && hiddenCount > 0 ? " +\(hiddenCount)" : ""))
    }

    private func drawRule(_ left: String, _ middle: String, _ right: String) {
        emit(left + widths.map { String(repeating: "─", count: $0 + 2) }.joined(separator: middle) + right)
    }

    private static func isNumber(_ value: JSONValue) -> Bool {
        switch value {
        case .integer, .float: true
        default: false
        }
    }

    private static func cell(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null: ""
        case .string(let text): DisplayText.plain(shortTime(text))
        case .some(let value): DisplayText.plain(value.text)
        }
    }

    /// A time without the zeros that end its fraction.
    private static func shortTime(_ text: String) -> String {
        guard text.utf8.count == 28, text.hasSuffix("Z"), text.dropFirst(19).hasPrefix("."),
            text.dropFirst(10).hasPrefix("T")
        else {
            return text
        }
        var short = text.dropLast()
        while short.hasSuffix("0") { short.removeLast() }
        if short.hasSuffix(".") { short.removeLast() }
        return short + "Z"
    }
}
