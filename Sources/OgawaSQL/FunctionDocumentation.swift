/// What the reference says of one function: made into docs/sql/functions.md, and run by the tests.
package struct FunctionDocumentation: Sendable {
    /// An expression and the value that an output gets for it, as JSON.
    package struct Example: Sendable {
        package var expression: String
        package var value: String
        /// Fields of the event that the expression reads, as JSON members without braces.
        package var event: String
        /// The event's properties as a JSON object; empty where there are none.
        package var properties: String

        package init(_ expression: String, _ value: String, event: String = "", properties: String = "") {
            self.expression = expression
            self.value = value
            self.event = event
            self.properties = properties
        }
    }

    package var name: String
    /// The call with its arguments' names; optional ones stand in brackets.
    package var signature: String
    /// What it does, in one sentence or a few.
    package var summary: String
    package var examples: [Example]

    package init(_ signature: String, _ summary: String, _ examples: [Example]) {
        name = String(signature.prefix { $0 != "(" && $0 != " " })
        self.signature = signature
        self.summary = summary
        self.examples = examples
    }
}

/// Renders documentation of functions as Markdown.
package enum FunctionReference {
    /// A heading with the functions below it.
    package struct Section: Sendable {
        package var title: String
        package var introduction: String
        package var functions: [FunctionDocumentation]

        package init(_ title: String, _ introduction: String, _ functions: [FunctionDocumentation]) {
            self.title = title
            self.introduction = introduction
            self.functions = functions
        }
    }

    /// The sections of the scalar functions.
    package static var sections: [Section] {
        let titles: [(ScalarFunction.Category, String, String)] = [
            (.text, "Text", textIntroduction), (.math, "Numbers", numberIntroduction),
            (.date, "Dates", dateIntroduction),
            (.conversion, "Types", typeIntroduction), (.conditional, "Choices", choiceIntroduction),
            (.array, "Arrays and records", recordIntroduction), (.geo, "Places", ""), (.metadata, "Metadata", ""),
        ]
        return titles.compactMap { category, title, introduction in
            let functions = ScalarCatalog.functions.filter { $0.category == category }.compactMap(\.documentation)
            let all = functions + (ScalarCatalog.keywords[category] ?? [])
            return all.isEmpty ? nil : Section(title, introduction, all.sorted { $0.name < $1.name })
        }
    }

    /// The page docs/sql/functions.md.
    package static var markdown: String {
        var page = """
            # Scalar functions

            <!-- Made from the catalogue in Sources/OgawaSQL; OGAWA_UPDATE_DOCS=1 swift test --filter FunctionReferenceTests writes it anew. -->

            Functions of the values of one row. Names may be written in any case. The right column of an example is the value as JSON, as an output
            gets it; every example is run by the tests. NULL in any argument gives NULL, unless a function says otherwise. An argument of another
            type is converted where that is possible (`LEN(1234)`, `ABS('-5')`, a datetime from ISO 8601 text); where it is not, the function
            stops, or the row is dropped and reported, as [failures](../sql.md) say.

            """
        for section in sections { page += "\n" + render(section) }
        return page
    }

    /// One section: its functions with an example table each.
    package static func render(_ section: Section) -> String {
        var text = "## \(section.title)\n\n"
        if !section.introduction.isEmpty { text += section.introduction + "\n\n" }
        return text + section.functions.map(render).joined(separator: "\n")
    }

    private static func render(_ function: FunctionDocumentation) -> String {
        var text = "### \(function.name)\n\n`\(function.signature)`\n\n\(function.summary)\n\n"
        if function.examples.isEmpty { return text }
        text += "| expression | value |\n|---|---|\n"
        for example in function.examples {
            var shown = code(example.expression)
            if !example.event.isEmpty { shown += " with " + code("{\(example.event)}") }
            if !example.properties.isEmpty { shown += ", properties " + code(example.properties) }
            text += "| \(shown) | \(code(example.value)) |\n"
        }
        return text
    }

    /// Code inside a table's cell: a bar would end the cell.
    private static func code(_ text: String) -> String {
        "`" + text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|") + "`"
    }

    private static let textIntroduction = """
        Characters are Unicode scalars; positions count them from 1. Letters differ by case, except in `REGEXMATCH`. A result has at most 1 MiB.
        """
    private static let numberIntroduction = """
        A `bit` counts as 0 or 1. What has no value as a float is NULL, as a division by zero is: the root of a negative number, an overflow. A
        `bigint` beyond 64 bits fails.
        """
    private static let dateIntroduction = """
        All dates are UTC with 100 ns, in the years 0001 to 9999. The first argument of `DATEADD`, `DATEDIFF`, `DATENAME` and `DATEPART` is a word:

        | part | also |
        |---|---|
        | `year` | `yy` `yyyy` |
        | `quarter` | `qq` `q` |
        | `month` | `mm` `m` |
        | `dayofyear` | `dy` `y` |
        | `day` | `dd` `d` |
        | `week` | `wk` `ww` |
        | `weekday` | `dw` `w` |
        | `hour` | `hh` |
        | `minute` | `mi` `n` |
        | `second` | `ss` `s` |
        | `millisecond` | `ms` |
        | `microsecond` | `mcs` |

        Weeks begin on Sunday; week 1 of a year holds January 1; weekday 1 is Sunday.
        """
    private static let typeIntroduction = """
        A value has a type, a column has not: `bigint`, `float`, `nvarchar(max)`, `datetime`, `bit`, `record` or `array`.

        | from \\ to | bigint | float | nvarchar(max) | datetime | bit |
        |---|---|---|---|---|---|
        | bigint | same | nearest | digits | – | 0 is 0, else 1 |
        | float | fraction cut | same | shortest | – | 0.0 is 0, else 1 |
        | nvarchar(max) | whole number | number | same | ISO 8601 | `true` `false` `1` `0` |
        | datetime | – | – | ISO 8601, 7 digits, Z | same | – |
        | bit | 0 or 1 | 0.0 or 1.0 | `1` or `0` | – | same |
        | record, array | – | – | JSON | – | – |
        """
    private static let choiceIntroduction = "Only the arguments that are needed are computed."
    private static let recordIntroduction = """
        What an array or a record does not hold is NULL. Fields of a record are also read with a dot: `room.floor`. `GetArrayElements` and
        `GetRecordProperties` give rows and stand in `APPLY`.
        """
}
