import OgawaCore

// Windows beyond tumbling and hopping.
extension SelectBinder {
    /// Reports an OVER that a window does not take.
    func refuseOver(_ call: Syntax.Call) -> Bool {
        guard let over = call.over else { return false }
        binder.error("misplaced-over", "\(call.function.text) takes no OVER", at: over.range)
        return true
    }

    /// Reports the parts of OVER that no window takes; nil after an error.
    private func partitionKeys(of call: Syntax.Call, takesCondition: Bool) -> [Expression]? {
        guard let over = call.over else { return [] }
        let extra = over.limit?.range ?? over.rows?.range ?? over.order.first?.expression.range
        if let range = extra ?? (takesCondition ? nil : over.condition?.range) {
            binder.error(
                "misplaced-over",
                "OVER of \(call.function.text) takes PARTITION BY\(takesCondition ? " and WHEN" : "") only", at: range)
            return nil
        }
        return over.partitionKeys.map { bind($0, Place(clause: .grouping)) }
    }

    func bind(sliding call: Syntax.Call) -> WindowPlan? {
        guard let roles = roles(call, required: ["Duration"], optional: ["Lookahead"]), let size = roles["Duration"],
            isWithinLimit(size, call), isWithinLimit(roles["Lookahead"] ?? 0, call),
            let keys = partitionKeys(of: call, takesCondition: true)
        else { return nil }
        if let condition = call.over?.condition {
            return .triggered(
                before: size, after: roles["Lookahead"] ?? 0, partitionKeys: keys,
                condition: bind(condition, Place(clause: .grouping)))
        }
        guard call.over == nil, roles["Lookahead"] == nil else {
            binder.error(
                "invalid-window", "a sliding window takes Lookahead and PARTITION BY together with WHEN only",
                hint: call.over == nil
                    ? "add OVER (WHEN condition), and there is a row around each event for which it holds"
                    : "keys belong in GROUP BY: the groups slide each on its own",
                at: call.over?.range ?? call.range)
            return nil
        }
        return .sliding(size: size)
    }

    func bind(session call: Syntax.Call) -> WindowPlan? {
        guard let roles = roles(call, required: ["Timeout", "MaxDuration"], optional: []),
            let timeout = roles["Timeout"], let maximum = roles["MaxDuration"], isWithinLimit(timeout, call),
            isWithinLimit(maximum, call), let keys = partitionKeys(of: call, takesCondition: false)
        else { return nil }
        return .session(timeout: timeout, maximum: maximum, partitionKeys: keys)
    }

    func bind(cumulate call: Syntax.Call) -> WindowPlan? {
        guard let roles = roles(call, required: ["Duration", "Step"], optional: ["Offset"]),
            let size = roles["Duration"], let step = roles["Step"], isWithinLimit(size, call),
            isWithinLimit(roles["Offset"] ?? 0, call)
        else { return nil }
        guard step <= size, size % step == 0 else {
            binder.error(
                "invalid-window", "the step of a cumulating window must divide its duration",
                hint:
                    "write for example CumulateWindow(Duration(day, 1), Step(minute, 1))", at: call.range)
            return nil
        }
        return .cumulating(size: size, step: step, offset: roles["Offset"] ?? 0)
    }

    func bind(count call: Syntax.Call) -> WindowPlan? {
        if refuseOver(call) { return nil }
        guard (1...2).contains(call.arguments.count) else {
            binder.error(
                "wrong-argument-count", "CountWindow takes a number of events and, if wanted, a step",
                hint:
                    "write CountWindow(10), or CountWindow(10, 1) for the last 10 at each event", at: call.range)
            return nil
        }
        var numbers: [Int] = []
        for argument in call.arguments {
            guard case .integer(let number) = argument.kind, number >= 1, number <= Limits.precedingRowCount else {
                binder.error(
                    "invalid-window",
                    "CountWindow takes whole numbers from 1 to \(Limits.precedingRowCount)", at: argument.range)
                return nil
            }
            numbers.append(Int(number))
        }
        return .count(size: numbers[0], step: numbers.count > 1 ? numbers[1] : numbers[0])
    }

    func bind(state call: Syntax.Call) -> WindowPlan? {
        if refuseOver(call) { return nil }
        guard (1...2).contains(call.arguments.count) else {
            binder.error(
                "wrong-argument-count", "StateWindow takes the condition that opens it and the one that closes it",
                hint: "write StateWindow(speed > 0, speed = 0), or StateWindow(speed > 0) for as long as it holds",
                at: call.range)
            return nil
        }
        let conditions = call.arguments.map { bind($0, Place(clause: .grouping)) }
        return .state(open: conditions[0], close: conditions.count > 1 ? conditions[1] : nil)
    }

    // MARK: Windows

    func bind(windows call: Syntax.Call) -> WindowPlan? {
        if refuseOver(call) { return nil }
        if call.arguments.isEmpty {
            binder.error("wrong-argument-count", "Windows needs at least one window", at: call.range)
        }
        if call.arguments.count > Limits.windowCount {
            binder.error("text-too-large", "Windows takes at most \(Limits.windowCount) windows", at: call.range)
            return nil
        }
        let before = binder.errors.count
        var ids: [String] = []
        var windows: [WindowPlan.IdentifiedWindow] = []
        for argument in call.arguments {
            var id: String?
            var inner = argument
            if let named = argument.windowCall, WindowName(named.function.text) == .window {
                guard let parts = parts(ofNamed: named, ids: ids) else { continue }
                ids.append(parts.id)
                id = parts.id
                inner = parts.window
            }
            guard let window = bind(innerWindow: inner) else { continue }
            windows.append(WindowPlan.IdentifiedWindow(id: id, window: window))
        }
        if !ids.isEmpty, ids.count < call.arguments.count {
            binder.error(
                "window-ids", "some windows have an id and some have none",
                hint: "write Window('id', …) for all or none", at: call.range)
        }
        return binder.errors.count == before ? .several(windows) : nil
    }

    private func bind(innerWindow argument: Syntax.Expression) -> WindowPlan? {
        if argument.isSystemTimestamp { return .snapshot }
        guard let call = argument.windowCall, let name = WindowName(call.function.text) else {
            binder.error("invalid-window", "Windows takes windows such as TumblingWindow(…)", at: argument.range)
            return nil
        }
        guard name != .windows, name != .window else {
            binder.error(
                "nested-windows", "\(name.rawValue) stands inside \(name == .windows ? "Windows" : "Window")",
                hint: "list all windows in one Windows(…)", at: call.range)
            return nil
        }
        return bind(window: call)
    }

    private func parts(ofNamed call: Syntax.Call, ids: [String]) -> (id: String, window: Syntax.Expression)? {
        guard call.arguments.count == 2, case .text(let id) = call.arguments[0].kind else {
            binder.error(
                "invalid-window", "Window takes an id and a window, as in Window('a', TumblingWindow(second, 10))",
                at: call.range)
            return nil
        }
        if ids.contains(where: { sameName($0, id) }) {
            binder.error(
                "window-ids", "two windows have the id '\(id)'", hint: "ids differ in more than case",
                at: call.arguments[0].range)
        }
        return (id, call.arguments[1])
    }
}
