import OgawaCore
import OgawaPlatform
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct POSIXFileSystemTests {
    private let fileSystem = POSIXFileSystem()

    /// Runs the body with an empty folder that is removed afterwards.
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = "/tmp/ogawa-platform-test-\(processIdentifier)-\(UInt64.random(in: 0 ... .max))"
        try fileSystem.createDirectory(path)
        defer { removeTree(path) }
        try body(path)
    }

    private func removeTree(_ path: String) {
        for name in (try? fileSystem.listDirectory(path)) ?? [] {
            let child = path + "/" + name
            if (try? fileSystem.remove(child)) == nil { removeTree(child) }
        }
        rmdir(path)
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    private func failure(_ body: () throws -> Void) -> FileSystemError? {
        do {
            try body()
            return nil
        } catch {
            return error as? FileSystemError
        }
    }

    @Test func `files are written, read, cut, renamed and removed`() throws {
        try withDirectory { directory in
            let path = directory + "/a"
            let file = try fileSystem.open(path, .create)
            try Array("hello world".utf8).withUnsafeBytes { try file.writeAll($0, at: 0) }
            try file.sync()
            #expect(try file.byteCount() == 11)
            #expect(try file.readBytes(at: 6, count: 100) == Array("world".utf8))
            #expect(try file.readBytes(at: 100, count: 5) == [])
            try file.truncate(to: 5)
            #expect(try fileSystem.byteCount(of: path) == 5)
            try fileSystem.rename(path, to: directory + "/b")
            try fileSystem.syncDirectory(directory)
            #expect(try fileSystem.listDirectory(directory) == ["b"])
            #expect(try fileSystem.byteCount(of: path) == nil)
            try fileSystem.remove(directory + "/b")
            #expect(try file.readBytes(at: 0, count: 10) == Array("hello".utf8), "an open file outlives its name")
            #expect(try fileSystem.freeByteCount(at: directory) > 0)
        }
    }

    @Test func `folders and files are for the owner only`() throws {
        try withDirectory { directory in
            let deep = directory + "/x/y/z"
            try fileSystem.createDirectory(deep)
            try fileSystem.createDirectory(deep)
            _ = try fileSystem.open(deep + "/file", .create)
            #expect(mode(directory) == 0o700)
            #expect(mode(directory + "/x") == 0o700)
            #expect(mode(deep) == 0o700)
            #expect(mode(deep + "/file") == 0o600)
        }
    }

    @Test func `failures say what failed, where and why`() throws {
        try withDirectory { directory in
            let missing = failure { _ = try fileSystem.open(directory + "/none", .read) }
            #expect(missing?.code == .notFound)
            #expect(missing?.description.contains("open \(directory)/none") == true)
            _ = try fileSystem.open(directory + "/file", .create)
            #expect(failure { _ = try fileSystem.open(directory + "/file", .create) }?.code == .alreadyExists)
            #expect(failure { try fileSystem.createDirectory(directory + "/file") }?.code == .alreadyExists)
            #expect(failure { _ = try fileSystem.listDirectory(directory + "/none") }?.code == .notFound)
            #expect(failure { try fileSystem.remove(directory + "/none") }?.code == .notFound)
            symlink("/etc/hostname", directory + "/link")
            #expect(failure { _ = try fileSystem.open(directory + "/link", .read) } != nil, "links are not followed")
        }
    }

    @Test func `replacing empties a file and updating keeps it`() throws {
        try withDirectory { directory in
            let path = directory + "/a"
            let bytes = Array("abc".utf8)
            try bytes.withUnsafeBytes { try fileSystem.open(path, .replace).writeAll($0, at: 0) }
            #expect(try fileSystem.open(path, .update).byteCount() == 3)
            #expect(try fileSystem.open(path, .replace).byteCount() == 0)
        }
    }

    @Test func `a full device is told from other failures`() throws {
        guard let full = try? fileSystem.open("/dev/full", .update) else { return }
        let error = failure { try [UInt8(1)].withUnsafeBytes { try full.writeAll($0, at: 0) } }
        #expect(error?.code == .noSpace)
    }

    @Test func `a lock names its holder and ends when it is given up`() throws {
        try withDirectory { directory in
            let path = directory + "/.lock"
            let lock = try fileSystem.lock(path, holder: "process 17")
            let error = failure { _ = try fileSystem.lock(path, holder: "process 18") }
            #expect(error?.code == .locked)
            #expect(error?.reason == "process 17")
            lock.unlock()
            let second = try fileSystem.lock(path, holder: "process 18")
            second.unlock()
            do { _ = try fileSystem.lock(path, holder: "forgotten") }
            try fileSystem.lock(path, holder: "after the last reference went").unlock()
        }
    }
}
