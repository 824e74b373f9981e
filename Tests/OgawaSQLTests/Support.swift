import OgawaCore
import OgawaSQL

/// Inputs that the tests read.
let catalog = Catalog(streams: ["telemetry", "alarms"], references: ["rooms"])

/// The plan of a text as `Program.dump` writes it, or its errors.
func plan(_ text: String, _ catalog: Catalog = catalog) -> String {
    do {
        return try compile(SourceText(name: "q.sql", text: text), catalog: catalog).program.dump
    } catch {
        return error.description
    }
}

/// `line:column code` of every error, in order.
func errors(_ text: String, _ catalog: Catalog = catalog) -> [String] {
    let source = SourceText(name: "q.sql", text: text)
    do {
        _ = try compile(source, catalog: catalog)
        return []
    } catch {
        return places(error.diagnostics, source)
    }
}

/// `line:column code` of every warning, in order.
func warnings(_ text: String) -> [String] {
    let source = SourceText(name: "q.sql", text: text)
    do {
        return places(try compile(source, catalog: catalog).warnings, source)
    } catch {
        return ["failed: \(error)"]
    }
}

private func places(_ diagnostics: [Diagnostic], _ source: SourceText) -> [String] {
    diagnostics.map { diagnostic in
        let (line, column) = source.location(of: diagnostic.range.lowerBound)
        return "\(line):\(column) \(diagnostic.code)"
    }
}

/// The errors of a text as a user sees them.
func rendered(_ text: String, _ catalog: Catalog = catalog) -> String {
    do {
        _ = try compile(SourceText(name: "q.sql", text: text), catalog: catalog)
        return "no error"
    } catch {
        return error.description
    }
}

/// The dump of a SELECT from telemetry without time, from its projection down.
func outputPlan(_ text: String) -> String {
    let lines = plan(text).split(separator: "\n", omittingEmptySubsequences: false)
    guard let start = lines.firstIndex(where: { $0.hasPrefix("output ") }) else { return lines.joined(separator: "\n") }
    return lines[(start + 1)...].map { String($0.dropFirst(2)) }.joined(separator: "\n")
}

/// The bound form of one expression over telemetry.
func bound(_ expression: String) -> String {
    let lines = plan("SELECT x = \(expression) FROM telemetry").split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix("  project ") }) else { return lines.joined(separator: "\n") }
    let shown = line.dropFirst("  project ".count)
    return String(shown.hasPrefix("x = ") ? shown.dropFirst(4) : shown)
}
