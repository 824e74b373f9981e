// Which device a PUBLISH speaks for.
//
//   devices/{id}/telemetry
//   devices/{id}/messages/events            Azure IoT Hub, with or without the last slash
//   devices/{id}/messages/events/k=v&k2=v2  its property bag, percent-encoded

/// A topic that devices send telemetry to.
package struct DeviceTopic: Hashable, Sendable {
    package var deviceID: String
    /// The property bag as one JSON object text; empty where there is none.
    package var properties: [UInt8]

    /// Why a topic takes no telemetry.
    package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
        /// The device, where the topic names one.
        package var deviceID: String?
    }

    /// Takes a topic apart.
    ///
    /// **Errors.** The reason in words, with the device where one is named.
    package init(_ topic: String) throws(Refusal) {
        let levels = topic.split(separator: "/", maxSplits: 4, omittingEmptySubsequences: false)
        guard levels.count >= 3, levels[0] == "devices" else { throw DeviceTopic.unknown(topic, nil) }
        guard MQTTTopic.isIdentifier(levels[1]) else {
            let found = DeviceTopic.shortened(levels[1])
            throw Refusal(description: "device id \(found) in the topic; expected [A-Za-z0-9._:-], 1 to 128 characters")
        }
        deviceID = String(levels[1])
        properties = []
        if levels.count == 3, levels[2] == "telemetry" { return }
        guard levels.count >= 4, levels[2] == "messages", levels[3] == "events" else {
            throw DeviceTopic.unknown(topic, deviceID)
        }
        guard levels.count == 5, !levels[4].isEmpty else { return }
        do throws(MQTTPropertyBag.Refusal) {
            properties = try MQTTPropertyBag.json(levels[4])
        } catch {
            throw Refusal(description: "property bag of the topic: \(error.description)", deviceID: deviceID)
        }
    }

    private static func unknown(_ topic: String, _ deviceID: String?) -> Refusal {
        let expected = "devices/{id}/telemetry or devices/{id}/messages/events/"
        return Refusal(
            description: "topic \(shortened(topic)) takes no telemetry; expected \(expected)", deviceID: deviceID)
    }

    /// At most 64 characters of a text from outside, quoted, without control characters.
    private static func shortened(_ text: some StringProtocol) -> String {
        let visible = text.unicodeScalars.prefix(64).map { $0.value < 0x20 || $0.value == 0x7f ? "?" : $0 }
        var short = "\""
        short.unicodeScalars.append(contentsOf: visible)
        return short + (text.unicodeScalars.count > 64 ? "...\"" : "\"")
    }
}
