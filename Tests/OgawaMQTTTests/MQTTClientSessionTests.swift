import OgawaMQTT
import Testing

@Suite struct MQTTClientSessionTests {
    private let start = MQTTTime(nanoseconds: 0)

    private func connected(keepAliveSeconds: UInt16 = 0, window: Int = 2) -> MQTTClientSession {
        var session = MQTTClientSession(keepAliveSeconds: keepAliveSeconds, maximumInFlight: window, at: start)
        let action = session.receive(.connack(sessionPresent: false, .accepted))
        #expect(action == .connected)
        return session
    }

    @Test func `messages wait for CONNACK and for room in the window`() {
        var session = MQTTClientSession(keepAliveSeconds: 0, maximumInFlight: 2, at: start)
        var ids = [session.reservePacketID()]
        _ = session.receive(.connack(sessionPresent: false, .accepted))
        for _ in 0..<3 { ids.append(session.reservePacketID()) }
        #expect(ids == [nil, 1, 2, nil])
        let actions = [session.receive(.puback(1)), session.receive(.puback(1)), session.receive(.puback(9))]
        #expect(actions == [.acknowledged(1), .none, .none])
        let next = session.reservePacketID()
        #expect(next == 3)
    }

    @Test func `packet identifiers begin again behind 65,535 and leave out those in use`() {
        var session = connected()
        let held = session.reservePacketID()
        #expect(held == 1)
        for _ in 0..<65_534 {
            guard let id = session.reservePacketID() else { return #expect(Bool(false)) }
            _ = session.receive(.puback(id))
        }
        let next = session.reservePacketID()
        #expect(next == 2)
    }

    @Test(arguments: MQTTConnectReturnCode.allCases.dropFirst())
    func `a refused connection says the return code`(code: MQTTConnectReturnCode) {
        var session = MQTTClientSession(keepAliveSeconds: 0, maximumInFlight: 1, at: start)
        let action = session.receive(.connack(sessionPresent: false, code))
        guard case .close(let error) = action else { return #expect(Bool(false)) }
        #expect(error.message.contains("\(code.rawValue)"))
    }

    @Test func `a ping goes out in silence, and one without an answer closes`() {
        var session = connected(keepAliveSeconds: 10)
        let steps = [9, 10, 19].map { session.timerFired(at: start.advanced(by: .seconds($0))) }
        #expect(steps == [.none, .send(.pingreq), .none])
        let answered = session.receive(.pingresp)
        let second = session.timerFired(at: start.advanced(by: .seconds(20)))
        #expect([answered, second] == [.none, .send(.pingreq)])
        let third = session.timerFired(at: start.advanced(by: .seconds(30)))
        guard case .close = third else { return #expect(Bool(false)) }
    }

    @Test func `packets that only clients send close`() {
        for packet: MQTTPacket in [
            .pingreq, .disconnect, .pubrec(1), .subscribe(1, []), .connack(sessionPresent: false, .accepted),
        ] {
            var session = connected()
            let action = session.receive(packet)
            guard case .close = action else { return #expect(Bool(false), "\(packet)") }
        }
    }
}
