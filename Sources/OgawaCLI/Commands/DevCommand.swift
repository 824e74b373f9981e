import ArgumentParser
import Ogawa
import OgawaCore

/// `ogawa dev`.
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev", abstract: "Run a project and take over what you save.",
        discussion: examples(
            "A saved function or ogawa.yaml is live at once. A mistake is shown, and everything else goes on as it was.",
            "ogawa dev plant", "ogawa dev --port 9000"))

    @OptionGroup var listen: ListenOptions

    func run() async throws {
        let stop = StopSignal.install()
        var project = try listen.load()
        show(project)
        // A function with an error waits for its next save; the others start.
        let broken = Set(project.findings().filter(\.hasErrors).map(\.source.name))
        project.functions.removeAll { broken.contains($0.source.name) }
        // The watch begins before the start, so that nothing saved meanwhile is missed.
        let watch = try FolderWatch(project.directory)
        let server = try await Server.start(project, allowsInsecure: listen.insecure)
        server.announce(project, json: listen.json)
        if !listen.json { Output.line("  watching \(project.directory) for changes; end with Ctrl-C") }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await stop.wait()
                watch.stop()
            }
            group.addTask {
                for await change in watch.changes { await reload(server, change) }
            }
        }
        await server.stop()
    }

    private func show(_ project: Project) {
        for list in project.findings() { Output.note(list.description) }
        for note in project.notes { Output.note("note: \(note)") }
    }

    private func reload(_ server: Server, _ change: FolderWatch.Change) async {
        let start = ContinuousClock.now
        let names = change.names.sorted().joined(separator: ", ")
        do {
            let project = try listen.load()
            let findings = project.findings()
            for list in findings where !list.hasErrors { Output.note(list.description) }
            for note in await server.instance.reload(project) { Output.note(note) }
            let taken = Figure.seconds((ContinuousClock.now - start).inSeconds)
            if findings.contains(where: \.hasErrors) {
                Output.problem("\(names): not taken over where it has errors; everything else runs on")
            } else {
                Output.note("\(Style.error.paint("reloaded", green: true)) \(names) in \(taken)")
            }
        } catch {
            Output.problem("\(names): \(error)\nthe project runs on as it was")
        }
    }
}
