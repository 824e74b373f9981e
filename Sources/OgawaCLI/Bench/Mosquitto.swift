// mosquitto as the neighbour to compare with: QoS 1 acknowledged from memory, nothing on disk.

import NIOCore
import NIOPosix
import Ogawa

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A mosquitto of the bench's own.
struct Mosquitto {
    let child: ChildProcess
    let port: Int
    private let folder: String

    /// Where the program is; nil when it is not installed.
    static var program: String? {
        let path = (Terminal.environment["PATH"] ?? "") + ":/usr/sbin:/usr/local/sbin"
        return path.split(separator: ":").map { "\($0)/mosquitto" }.first { access($0, X_OK) == 0 }
    }

    /// Starts it on a free port of this machine and waits until it accepts connections.
    static func start(in base: String, program: String) async throws -> Mosquitto {
        let folder = try Leftovers.makeFolder(in: base)
        let port = try await freePort()
        let configuration = TextFile.join(folder, "mosquitto.conf")
        try TextFile.write(
            configuration,
            """
            listener \(port) 127.0.0.1
            allow_anonymous true
            persistence false
            log_type none
            set_tcp_nodelay true
            max_inflight_messages 0
            \(getuid() == 0 ? "user root" : "")

            """)
        let child = try ChildProcess([program, "-c", configuration], errorFile: TextFile.join(folder, "stderr.txt"))
        let mosquitto = Mosquitto(child: child, port: port, folder: folder)
        let deadline = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < deadline {
            if await accepts(port) { return mosquitto }
            try await Task.sleep(for: .milliseconds(10))
        }
        await mosquitto.stop()
        throw CommandFailure("mosquitto did not start on port \(port)", hint: "run \(program) -v to see why")
    }

    func stop() async {
        await child.stop()
        Leftovers.remove(folder: folder)
    }

    private static func accepts(_ port: Int) async -> Bool {
        guard
            let channel = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port).get()
        else { return false }
        try? await channel.close()
        return true
    }

    /// A port that nobody uses now.
    private static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close()
        guard let port else { throw CommandFailure("can't find a free port on 127.0.0.1") }
        return port
    }
}
