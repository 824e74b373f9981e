/// The simulated building: twenty thermometers, half of which send by HTTP and half by MQTT.
package struct Building: Sendable {
    /// How a thermometer sends.
    package enum Transport: Hashable, Sendable {
        case http
        case mqtt
    }

    package var thermometers: [(model: Thermometer, transport: Transport)]

    private static let rooms = [
        "lobby", "reception", "cafeteria", "kitchen", "corridor-1", "corridor-2", "office-1", "office-2", "office-3",
        "office-4",
        "office-5", "office-6", "meeting-1", "meeting-2", "meeting-3", "library", "server-room", "workshop", "garage",
        "roof",
    ]
    private static let faults: [String: Thermometer.Fault] = [
        "garage": .fastClock, "workshop": .driftsAndFails, "roof": .goesSilent,
    ]

    /// - Parameter cycle: seconds in which every fault shows once.
    package init(seed: UInt64, cycle: Double) {
        thermometers = Building.rooms.enumerated().map { index, room in
            let model = Thermometer(
                deviceID: room, fault: Building.faults[room] ?? .none, seed: seed &+ UInt64(index) &* 0x1_0001,
                cycle: cycle)
            // The broken one sends torn bodies, which only HTTP answers with the reason.
            return (model, index % 2 == 1 ? .http : .mqtt)
        }
    }
}
