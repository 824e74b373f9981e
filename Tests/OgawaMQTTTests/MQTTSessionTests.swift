import OgawaMQTT
import Testing

@Suite struct MQTTSessionTests {
    @Test func `a device connects, publishes, pings and leaves`() {
        let difference = follows(
            """
            connect dev-1      -> accept dev-1, paused
            accepted dev-1     -> CONNACK
            publish 1 7        -> none
            offer              -> 7
            finish stored      -> PUBACK [7]
            pingreq            -> PINGRESP
            disconnect         -> close finished
            pingreq            -> none
            """)
        #expect(difference == nil)
    }

    @Test(arguments: [
        ("connect '' -> accept (invent), paused", "an invented id"),
        ("connect '' dirty -> close connect-refused [32, 2, 0, 2]", "no id and no clean session"),
        ("connect a/b -> close connect-refused [32, 2, 0, 2]", "a bad id"),
        ("connect d#1 -> close connect-refused [32, 2, 0, 2]", "a wildcard in the id"),
        ("connect dev-1 dirty -> accept dev-1, paused", "a session to keep"),
        ("level 3 -> close connect-refused [32, 2, 0, 1]", "MQTT 3.1"),
        ("level 5 -> close connect-refused [32, 3, 0, 132, 0]", "MQTT 5"),
        ("level 255 -> close connect-refused [32, 3, 0, 132, 0]", "a level that does not exist"),
        ("malformed -> close protocol-error", "bytes that are no packet"),
        ("wait 9.9 -> none", "almost too late"),
        ("wait 10 -> close connect-timeout", "too late"),
        ("stop -> close stopping", "the server stops"),
    ])
    func `the first step of a connection`(diagram: String, name: String) {
        #expect(follows(diagram) == nil, "\(name)")
    }

    @Test(arguments: MQTTPacketType.allCases)
    func `every packet but CONNECT closes a new connection`(type: MQTTPacketType) {
        let name = type.name.lowercased()
        if type == .connect { return }
        #expect(
            follows(
                "\(name == "publish" ? "publish 0 1" : name == "subscribe" ? "subscribe 1 a 0" : name == "unsubscribe" ? "unsubscribe 1 a" : name) -> close protocol-error"
            ) == nil)
    }

    @Test(arguments: MQTTPacketType.allCases)
    func `every packet on an open connection`(type: MQTTPacketType) {
        let step: String
        switch type {
        case .connect: step = "connect dev-1 -> close protocol-error"
        case .publish: step = "publish 0 1 -> none"
        case .subscribe: step = "subscribe 1 devices/dev-1/# 1 -> SUBACK 1 [\"1\"]"
        case .unsubscribe: step = "unsubscribe 1 a -> UNSUBACK"
        case .pingreq: step = "pingreq -> PINGRESP"
        case .disconnect: step = "disconnect -> close finished"
        case .connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .pingresp:
            step = "\(type.name.lowercased()) -> close protocol-error"
        }
        #expect(follows(open + step) == nil)
    }

    private let open = "connect dev-1 keep=10 -> accept dev-1, paused\naccepted dev-1 -> CONNACK\n"

    @Test func `silence for one and a half times the keep-alive closes`() {
        let difference = follows(
            open + """
                wait 14.9   -> none
                pingreq     -> PINGRESP
                wait 14.9   -> none
                wait 0.1    -> close keep-alive-timeout
                """)
        #expect(difference == nil)
    }

    @Test func `one batch at a time is offered, and what comes meanwhile follows`() {
        let difference = follows(
            open + """
                publish 1 1             -> none
                publish 0 zero          -> none
                offer                   -> 1 zero
                publish 1 2             -> none
                publish 1 3             -> none
                offer                   -> none
                finish stored stored    -> PUBACK [1]
                offer                   -> 2 3
                finish stored stored    -> PUBACK [2, 3]
                offer                   -> none
                """)
        #expect(difference == nil)
    }

    @Test func `a busy log is asked again, and acknowledgements keep their order`() {
        let difference = follows(
            open + """
                publish 1 1                 -> none
                publish 1 2                 -> none
                publish 1 3                 -> none
                offer                       -> 1 2 3
                finish stored busy stored   -> PUBACK [1]
                offer                       -> none
                publish 1 4                 -> none
                wait 0.01                   -> none
                offer                       -> 2 4
                finish busy busy            -> none
                wait 0.01                   -> none
                offer                       -> none
                wait 0.01                   -> none
                offer                       -> 2 4
                finish stored stored        -> PUBACK [2, 3, 4]
                """)
        #expect(difference == nil)
    }

    @Test func `a log that stays busy closes the connection`() {
        var diagram = open + "publish 1 1 -> none\noffer -> 1\nfinish busy -> none\n"
        diagram += "wait 4 -> none\npingreq -> PINGRESP\noffer -> 1\nfinish busy -> none\n"
        diagram += "wait 1 -> none\noffer -> 1\nfinish busy -> close busy\noffer -> none"
        #expect(follows(diagram) == nil)
    }

    @Test func `an answer that is too short counts as busy`() {
        #expect(
            follows(open + "publish 1 1 -> none\npublish 1 2 -> none\noffer -> 1 2\nfinish stored -> PUBACK [1]") == nil
        )
    }

    @Test func `a full window stops reading, and the keep-alive rests meanwhile`() {
        var configuration = MQTTSessionConfiguration()
        configuration.maximumInFlight = 2
        let difference = follows(
            open + """
                publish 1 1             -> none
                publish 1 2             -> none, paused
                offer                   -> 1 2, paused
                wait 100                -> none, paused
                finish stored stored    -> PUBACK [1, 2]
                wait 14.9               -> none
                wait 0.1                -> close keep-alive-timeout
                """, configuration)
        #expect(difference == nil)
    }

    @Test func `many bytes in flight stop reading, too`() {
        var configuration = MQTTSessionConfiguration()
        configuration.maximumInFlightByteCount = 8
        #expect(follows(open + "publish 0 1234567 -> none\npublish 0 8 -> none, paused", configuration) == nil)
    }

    @Test func `a repeated packet identifier in flight is one message if DUP says so`() {
        let difference = follows(
            open + """
                publish 1 1         -> none
                publish 1 1 dup     -> none
                offer               -> 1
                publish 1 1 dup     -> none
                finish stored       -> PUBACK [1]
                publish 1 1 dup     -> none
                offer               -> 1
                publish 1 1         -> close protocol-error
                """)
        #expect(difference == nil)
    }

    @Test func `a refused message is acknowledged in its place by default`() {
        let difference = follows(
            open + """
                publish 1 1                     -> none
                publish 1 2                     -> none
                publish 0 3                     -> none
                offer                           -> 1 2 3
                finish stored refused refused   -> PUBACK [1, 2]
                """)
        #expect(difference == nil)
    }

    @Test func `a refused message closes where the listener says so, after a pause`() {
        var configuration = MQTTSessionConfiguration()
        configuration.refusedPublish = .close
        let difference = follows(
            open + """
                publish 1 1                     -> none
                publish 1 2                     -> none
                publish 1 3                     -> none
                offer                           -> 1 2 3
                publish 1 4                     -> none
                finish stored refused stored    -> PUBACK [1], paused
                offer                           -> none, paused
                wait 0.9                        -> none, paused
                wait 0.1                        -> close publish-refused
                """, configuration)
        #expect(difference == nil)
    }

    @Test func `a QoS 0 message that is refused does not close`() {
        var configuration = MQTTSessionConfiguration()
        configuration.refusedPublish = .close
        #expect(follows(open + "publish 0 1 -> none\noffer -> 1\nfinish refused -> none", configuration) == nil)
    }

    @Test func `a topic without meaning is refused, and closes if it wanted an acknowledgement`() {
        #expect(follows(open + "publish 0 1 some/where -> refuse\npublish 0 2 -> none") == nil)
        let difference = follows(
            open + """
                publish 1 1             -> none
                offer                   -> 1
                publish 1 2 some/where  -> refuse and close, paused
                finish stored           -> PUBACK [1], paused
                wait 1                  -> close publish-refused
                """)
        #expect(difference == nil)
    }

    @Test func `QoS 2 is refused and closes`() {
        #expect(follows(open + "publish 2 1 -> refuse and close, paused\nwait 1 -> close publish-refused") == nil)
    }

    @Test(arguments: [
        ("devices/dev-1/#", 1, "[\"1\"]"), ("devices/dev-1/commands/+", 0, "[\"0\"]"),
        ("devices/dev-1/messages/devicebound/#", 2, "[\"1\"]"), ("devices/dev-2/#", 1, "[\"no\"]"),
        ("#", 0, "[\"no\"]"), ("devices/+/#", 0, "[\"no\"]"), ("$SYS/#", 0, "[\"no\"]"),
    ])
    func `a device may subscribe to its own topics only`(filter: String, qos: Int, granted: String) {
        #expect(follows(open + "subscribe 5 \(filter) \(qos) -> SUBACK 5 \(granted)") == nil)
    }

    @Test func `subscriptions are bounded`() {
        var diagram = open
        for index in 0..<50 { diagram += "subscribe 1 devices/dev-1/\(index) 0 -> SUBACK 1 [\"0\"]\n" }
        diagram += "subscribe 1 devices/dev-1/50 0 -> SUBACK 1 [\"no\"]\n"
        diagram += "subscribe 1 devices/dev-1/49 1 -> SUBACK 1 [\"1\"]\n"
        diagram += "unsubscribe 2 devices/dev-1/0 -> UNSUBACK\nsubscribe 3 devices/dev-1/50 0 -> SUBACK 3 [\"0\"]"
        #expect(follows(diagram) == nil)
    }

    @Test func `what came before DISCONNECT is still delivered`() {
        let difference = follows(
            open + """
                publish 0 1     -> none
                offer           -> 1
                publish 0 2     -> none
                publish 1 3     -> none
                disconnect      -> close finished
                finish stored   -> none
                offer           -> 2 3
                finish busy busy -> none
                offer           -> none
                """)
        #expect(difference == nil)
    }

    @Test(arguments: ["takeover -> close taken-over", "lost -> none", "malformed -> close protocol-error"])
    func `after another end only messages that nobody repeats are delivered`(end: String) {
        let diagram =
            open
            + "publish 1 1 -> none\npublish 0 2 -> none\n\(end)\noffer -> 2\nfinish stored -> none\n\(end.split(separator: " ")[0]) -> none"
        #expect(follows(diagram) == nil)
    }

    @Test func `stopping waits for what is in flight and takes nothing new`() {
        let difference = follows(
            open + """
                publish 1 1     -> none
                offer           -> 1
                stop            -> none, paused
                finish stored   -> PUBACK [1], close stopping
                """)
        #expect(difference == nil)
        #expect(follows(open + "stop -> close stopping") == nil)
    }
}
