/// A bar on the terminal's last line for work that takes longer than a second; nothing anywhere else.
package struct ProgressBar {
    private let label: String
    private let start = ContinuousClock.now
    private var drawn: ContinuousClock.Instant?
    private let isOn = Terminal.isError

    package init(_ label: String) { self.label = label }

    /// Shows how much is done, at most ten times a second.
    ///
    /// - Parameter fraction: from 0 to 1; nil where the end is not known.
    package mutating func update(_ fraction: Double?, _ detail: String = "") {
        guard isOn else { return }
        let now = ContinuousClock.now
        guard now - start > .seconds(1), drawn.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
        drawn = now
        let width = max(10, min(30, Terminal.width - 50))
        let filled = Int((fraction ?? 0).clamped(to: 0...1) * Double(width))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        let percent = fraction.map { " \(Int($0.clamped(to: 0...1) * 100)) %" } ?? ""
        let line = DisplayText.fit("\(label) \(bar)\(percent) \(detail)", width: max(20, Terminal.width - 1))
        Output.status("\r\(line)")
    }

    /// Takes the bar away.
    package mutating func finish() {
        if drawn != nil { Output.status("\r\u{1b}[K") }
        drawn = nil
    }
}

extension Double {
    fileprivate func clamped(to range: ClosedRange<Double>) -> Double {
        isFinite ? Swift.min(Swift.max(self, range.lowerBound), range.upperBound) : range.lowerBound
    }
}
