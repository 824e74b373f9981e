import Ogawa
import OgawaCLI
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct FolderWatchTests {
    @Test(.timeLimit(.minutes(1)))
    func `saved, renamed and removed functions are told, everything else is not`() async throws {
        let folder = "/tmp/ogawa-watch-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try TextFile.createDirectory(folder)
        defer {
            for name in ["functions/a.sql", "functions/a.sql~", "functions", "ogawa.yaml", "other.txt"] {
                remove("\(folder)/\(name)")
            }
            rmdir(folder)
        }
        let watch = try FolderWatch(folder)
        var changes = watch.changes.makeAsyncIterator()

        try TextFile.write("\(folder)/other.txt", "no part of the project")
        // The folder of the functions is made while it is watched for; only what is saved after that is sure to be seen.
        try TextFile.createDirectory("\(folder)/functions")
        #expect(await changes.next()?.names == ["functions"])
        try TextFile.write("\(folder)/functions/a.sql~", "no function")
        let start = ContinuousClock.now
        try TextFile.write("\(folder)/functions/a.sql", "SELECT 1")
        #expect(await changes.next()?.names == ["functions/a.sql"])
        #expect(ContinuousClock.now - start < .seconds(1))
        try TextFile.write("\(folder)/ogawa.yaml", "streams: { a: }")
        #expect(await changes.next()?.names == ["ogawa.yaml"])
        unlink("\(folder)/functions/a.sql")
        #expect(await changes.next()?.names == ["functions/a.sql"])
        watch.stop()
        #expect(await changes.next() == nil)
    }

    @Test func `a folder that is not there can't be watched`() {
        #expect(throws: ProjectError.self) { try FolderWatch("/tmp/ogawa-no-such-folder") }
    }
}
