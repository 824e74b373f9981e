import ArgumentParser
import Ogawa

/// `ogawa init`.
struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a project to start from.",
        discussion: examples(
            "The template `temperature` makes smoothed degrees Celsius of the volts of TMP36 thermometers.",
            "ogawa init plant", "ogawa init plant --template temperature && ogawa dev plant"))

    @Argument(help: ArgumentHelp("The folder to make.", valueName: "dir"), completion: .directory)
    var directory: String

    @Option(
        help: ArgumentHelp("The project to write: temperature.", valueName: "name"), completion: .list(["temperature"]))
    var template = "temperature"

    @Flag(help: "Print one JSON object with the files written.")
    var json = false

    mutating func validate() throws {
        let names = Template.all.map(\.name)
        guard !names.contains(template) else { return }
        throw ValidationError("there is no template '\(template)'; templates: \(names.joined(separator: ", "))")
    }

    func run() throws {
        guard let template = Template.all.first(where: { $0.name == template }) else { throw SilentFailure() }
        try template.write(to: directory)
        if json {
            let files = template.files.map { JSONValue.string(TextFile.join(directory, $0.path)) }
            let result = JSONValue.object([
                JSONMember("directory", .string(directory)), JSONMember("template", .string(template.name)),
                JSONMember("files", .array(files)),
            ])
            Output.line(result.text)
            return
        }
        Output.line("\(directory): \(template.summary)")
        for file in template.files { Output.line("  \(TextFile.join(directory, file.path))") }
        Output.line("Next: ogawa dev \(directory)")
    }
}
