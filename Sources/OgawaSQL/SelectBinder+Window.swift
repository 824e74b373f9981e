import OgawaCore

extension Binder {
    /// The ticks of `DURATION(unit, n)`; nil after an error.
    func ticks(of duration: Syntax.Duration) -> Int64? { ticks(unit: duration.unit, count: duration.count) }

    /// The ticks of a unit and a number; nil after an error.
    func ticks(
        unit: Syntax.Expression, count: Syntax.Expression, allowsNegative: Bool = false, allowsZero: Bool = false
    ) -> Int64? {
        let unitTicks = ticks(of: unit)
        guard case .integer(let number) = count.kind, allowsNegative || number > 0 || allowsZero && number == 0 else {
            error(
                "invalid-duration",
                allowsNegative ? "the offset is a whole number" : "the length of time is a whole number greater than 0",
                hint: "write a number such as 60", at: count.range)
            return nil
        }
        guard let unitTicks else { return nil }
        let (ticks, overflow) = unitTicks.multipliedReportingOverflow(by: number)
        guard !overflow, ticks != .min else {
            error("invalid-duration", "this length of time is beyond the range of time", at: count.range)
            return nil
        }
        return ticks
    }

    private func ticks(of unit: Syntax.Expression) -> Int64? {
        guard case .path(let names) = unit.kind, names.count == 1 else {
            var hint = "write second, minute, hour or day"
            if case .text(let text) = unit.kind, let part = DatePart(named: text) {
                hint = "write \(part.rawValue) without quotes"
            }
            if case .integer = unit.kind { hint = "the unit comes first, as in (second, 60)" }
            error("unknown-unit", "a unit of time such as second is missing here", hint: hint, at: unit.range)
            return nil
        }
        let name = names[0].text
        guard let part = DatePart(named: name) ?? DatePart(named: name.hasSuffix("s") ? String(name.dropLast()) : name)
        else {
            error(
                "unknown-unit", "there is no unit of time '\(name)'",
                hint: suggestion(for: name, in: DatePart.unitNames, what: "units"), at: unit.range)
            return nil
        }
        guard DatePart(named: name) != nil else {
            error("unknown-unit", "there is no unit of time '\(name)'", hint: "write \(part.rawValue)", at: unit.range)
            return nil
        }
        guard let ticks = part.ticks else {
            error(
                "unknown-unit", "a \(part.rawValue) is not a fixed length of time",
                hint: "units: \(DatePart.unitNames.joined(separator: ", "))", at: unit.range)
            return nil
        }
        return ticks
    }
}

// The windows of GROUP BY.
extension SelectBinder {
    private static let maximumTicks: Int64 = 7 * 24 * 3600 * Timestamp.ticksPerSecond

    func bind(window call: Syntax.Call) -> WindowPlan? {
        guard let name = WindowName(call.function.text) else { return nil }
        if call.hasStar || call.isDistinct {
            binder.error("invalid-window", "\(name.rawValue) takes a length of time", at: call.range)
            return nil
        }
        switch name {
        case .tumbling: return bind(tumbling: call)
        case .hopping: return bind(hopping: call)
        case .sliding: return bind(sliding: call)
        case .session: return bind(session: call)
        case .cumulate: return bind(cumulate: call)
        case .windows: return bind(windows: call)
        case .count: return bind(count: call)
        case .state: return bind(state: call)
        case .window:
            binder.error(
                "misplaced-window", "Window('id', w) stands inside Windows(…) only",
                hint: "write Windows(Window('a', …), Window('b', …))", at: call.range)
            return nil
        }
    }

    /// A part such as `Duration(minute, 5)` of a window; nil where the argument is something else.
    private func part(_ argument: Syntax.Expression, _ names: [String]) -> (name: String, call: Syntax.Call)? {
        guard case .call(let call) = argument.kind, call.name.count == 1 else { return nil }
        guard let name = names.first(where: { sameName($0, call.function.text) }) else { return nil }
        return (name, call)
    }

    /// The arguments of a window as ticks by their roles; nil after an error.
    ///
    /// Both spellings are read: `(unit, 60, 30)` and `(Duration(minute, 1), Hop(second, 30))`.
    func roles(_ call: Syntax.Call, required: [String], optional: [String]) -> [String: Int64]? {
        let all = required + optional
        if let name = WindowName(call.function.text), name != .session, name != .sliding, refuseOver(call) {
            return nil
        }
        if call.arguments.contains(where: { part($0, all) != nil }) { return roles(spelledOut: call, required, all) }
        let shape =
            "\(call.function.text)(unit, \(required.map { $0.lowercased() }.joined(separator: ", "))"
            + optional.map { "[, \($0.lowercased())]" }.joined() + ")"
        guard call.arguments.count > required.count, call.arguments.count <= all.count + 1 else {
            binder.error(
                "wrong-argument-count",
                "\(call.function.text) takes a unit and \(plural(required.count, "number")), as in \(shape)",
                hint: unitHint(call), at: call.range)
            return nil
        }
        var result: [String: Int64] = [:]
        for (role, argument) in zip(all, call.arguments.dropFirst()) {
            guard
                let ticks = binder.ticks(
                    unit: call.arguments[0], count: argument, allowsNegative: role == "Offset",
                    allowsZero: role == "Lookahead")
            else { return nil }
            result[role] = ticks
        }
        return result
    }

    private func unitHint(_ call: Syntax.Call) -> String? {
        guard call.arguments.count == 1, case .integer(let number) = call.arguments[0].kind else { return nil }
        return "write \(call.function.text)(second, \(number))"
    }

    private func roles(spelledOut call: Syntax.Call, _ required: [String], _ all: [String]) -> [String: Int64]? {
        var result: [String: Int64] = [:]
        for argument in call.arguments {
            guard let (role, part) = part(argument, all) else {
                binder.error(
                    "invalid-window",
                    "\(call.function.text) is made of \(all.map { "\($0)(…)" }.joined(separator: ", "))",
                    hint: "write each part as a call, such as \(all[0])(second, 60)", at: argument.range)
                return nil
            }
            guard part.arguments.count == 2 else {
                binder.error(
                    "wrong-argument-count", "\(role) takes a unit and a number, as in \(role)(second, 60)",
                    at: part.range)
                return nil
            }
            guard result[role] == nil else {
                binder.error("invalid-window", "\(role) stands here twice", at: part.range)
                return nil
            }
            let ticks = binder.ticks(
                unit: part.arguments[0], count: part.arguments[1], allowsNegative: role == "Offset",
                allowsZero: role == "Lookahead")
            guard let ticks else { return nil }
            result[role] = ticks
        }
        if let missing = required.first(where: { result[$0] == nil }) {
            binder.error(
                "invalid-window", "\(call.function.text) needs \(missing)(unit, n)",
                hint: "add \(missing)(second, 60)", at: call.range)
            return nil
        }
        return result
    }

    func isWithinLimit(_ ticks: Int64, _ call: Syntax.Call) -> Bool {
        guard ticks.magnitude > Self.maximumTicks.magnitude else { return true }
        binder.error(
            "window-too-long", "a window is at most 7 days long",
            hint: "store smaller windows in a table and add them up",
            at: call.range)
        return false
    }

    private func bind(tumbling call: Syntax.Call) -> WindowPlan? {
        guard let roles = roles(call, required: ["Duration"], optional: ["Offset"]), let size = roles["Duration"],
            isWithinLimit(size, call), isWithinLimit(roles["Offset"] ?? 0, call)
        else { return nil }
        return .hopping(size: size, hop: size, offset: roles["Offset"] ?? 0)
    }

    private func bind(hopping call: Syntax.Call) -> WindowPlan? {
        guard let roles = roles(call, required: ["Duration", "Hop"], optional: ["Offset"]),
            let size = roles["Duration"], let hop = roles["Hop"], isWithinLimit(size, call), isWithinLimit(hop, call),
            isWithinLimit(roles["Offset"] ?? 0, call)
        else { return nil }
        if hop > size {
            binder.warn(
                "hop-skips-events",
                "the hop is longer than the window, so that events between the windows count nowhere",
                hint: "the order is size, then hop", at: call.range)
        }
        return .hopping(size: size, hop: hop, offset: roles["Offset"] ?? 0)
    }
}
