import OgawaCore

/// Reference data of the project.
package struct ReferenceSettings: Hashable, Sendable {
    /// Where the rows come from.
    package enum Source: Hashable, Sendable {
        /// CSV, JSON or NDJSON by the name's ending; the path as a program opens it.
        case file(String)
        /// A table or view of an SQLite file.
        case sqlite(path: String, table: String)
        /// A table among the project's outputs.
        case output(String)
    }

    package var name: String
    package var source: Source
    /// The column whose values tell the rows apart; nil where several rows of a key are meant.
    package var key: String?
    /// How often the source is looked at.
    package var every: Duration

    package init(name: String, source: Source, key: String? = nil, every: Duration = .seconds(10)) {
        self.name = name
        self.source = source
        self.key = key
        self.every = every
    }

    /// What a file's name tells of its form.
    package static func source(file path: String, table: String) -> Source {
        let endings = [".db", ".sqlite", ".sqlite3"]
        return endings.contains { path.hasSuffix($0) } ? .sqlite(path: path, table: table) : .file(path)
    }
}

extension ProjectParser {
    static let referenceKeys = ["file", "table", "key", "every"]

    mutating func readReference(_ entry: SettingsEntry) {
        guard claim(entry, as: "the reference data") else { return }
        let what = "reference data '\(entry.key)'"
        var file: String?
        var table: (name: String, range: SourceRange)?
        var reference = ReferenceSettings(name: entry.key, source: .file(""))
        var isComplete = true
        for setting in reader.entries(entry.value, what, form: "'{ file: \(entry.key).csv, every: 10s }'") {
            let place = "\(setting.key) of \(what)"
            switch setting.key {
            case "file":
                file = reader.text(setting.value, place, expected: "a file's path")
                isComplete = isComplete && file != nil
            case "table":
                let range = reader.range(of: setting.value)
                table = reader.text(setting.value, place, expected: "a table's name").map { ($0, range) }
                isComplete = isComplete && table != nil
            case "key": reference.key = reader.text(setting.value, place, expected: "a column's name")
            case "every":
                guard let every = reader.duration(setting.value, place) else { continue }
                guard every >= .seconds(1) else {
                    reader.report(
                        "bad-value", "\(place) is shorter than a second", hint: "write 1s or more",
                        at: reader.range(of: setting.value))
                    continue
                }
                reference.every = every
            default: reader.unknown(setting, of: what, known: ProjectParser.referenceKeys)
            }
        }
        guard isComplete else { return }
        if let file {
            reference.source = ReferenceSettings.source(
                file: TextFile.join(directory, file), table: table?.name ?? entry.key)
            if case .file = reference.source, let table {
                reader.report(
                    "bad-value", "\(what) has a table in a file that is none of SQLite's",
                    hint: "remove it, or name a file that ends with .db, .sqlite or .sqlite3", at: table.range)
            }
        } else if let table {
            reference.source = .output(table.name)
            referenceTables.append((entry.key, table.name, table.range))
        } else {
            if case .mapping = entry.value {
                reader.report(
                    "missing-key", "\(what) has no source",
                    hint: "write file: \(entry.key).csv, or table: and the name of an output",
                    at: entry.keyRange)
            }
            return
        }
        references.append(reference)
    }

    /// Looks up the outputs that reference data are read from.
    mutating func resolveReferences() {
        let tables = outputs.compactMap { output -> String? in
            if case .table = output.kind { return output.name }
            return nil
        }
        for target in referenceTables {
            guard let found = tables.first(where: { $0.lowercased() == target.table.lowercased() }) else {
                reader.report(
                    "unknown-output",
                    "reference data '\(target.reference)' are read from the table '\(target.table)', which does not exist",
                    hint: nearestName(to: target.table, in: tables).map { "did you mean '\($0)'?" }
                        ?? "tables: \(tables.isEmpty ? "none" : tables.joined(separator: ", "))", at: target.range)
                continue
            }
            for index in references.indices where references[index].name == target.reference {
                references[index].source = .output(found)
            }
        }
    }
}
