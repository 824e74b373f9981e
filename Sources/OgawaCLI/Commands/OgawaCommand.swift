// The root of the command line: what exists, and how an end becomes an exit code.

import ArgumentParser
import Ogawa
import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `ogawa`.
package struct OgawaCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ogawa",
        abstract: "Streams of events from devices, computed as they come.",
        discussion: """
            Begin with `ogawa demo`, or with a project of your own:
              ogawa init plant
              ogawa dev plant

            Exit codes: 0 done, 1 failed, 2 wrong usage. Results go to standard output, everything else to standard error.
            Completion: ogawa --generate-completion-script bash|zsh|fish
            """,
        version: OgawaVersion.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Projects",
                subcommands: [
                    DemoCommand.self, InitCommand.self, DevCommand.self, RunCommand.self, CheckCommand.self,
                    TestCommand.self,
                ]),
            CommandGroup(
                name: "A running instance",
                subcommands: [
                    SendCommand.self, TailCommand.self, RowsCommand.self, StatusCommand.self,
                ]),
            CommandGroup(
                name: "Queries and figures", subcommands: [QueryCommand.self, ExplainCommand.self, BenchCommand.self]),
        ])

    package init() {}
}

/// A command failed; everything that is to be said has been said.
struct SilentFailure: Error {}

/// A failure in plain words, with the next action.
struct CommandFailure: Error, CustomStringConvertible {
    var message: String
    var hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}

@main
enum Main {
    static func main() async {
        do {
            var command = try await OgawaCommand.asyncParseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            exit(finish(error))
        }
    }

    /// Tells the error and gives the exit code: 2 for wrong usage, 1 for every other failure.
    private static func finish(_ error: any Error) -> Int32 {
        switch error {
        case is SilentFailure: return 1
        case let error as DiagnosticList:
            Output.note(error.description)
            return 1
        case is CommandFailure, is ClientError, is ProjectError:
            Output.problem("\(error)")
            return 1
        default: break
        }
        let code = OgawaCommand.exitCode(for: error)
        let message = OgawaCommand.fullMessage(for: error)
        switch code {
        case .success:
            if !message.isEmpty { Output.line(message) }
            return 0
        case .validationFailure:
            Output.note(message)
            return 2
        default:
            if error is ExitCode { return code.rawValue }
            Output.problem("\(error)")
            return 1
        }
    }
}
