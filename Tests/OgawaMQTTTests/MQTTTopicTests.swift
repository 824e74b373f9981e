import OgawaMQTT
import Testing

@Suite struct MQTTTopicTests {
    @Test(arguments: ["a", "/", "a/", "/a", "a/b/c", "+", "#", "+/+", "a/#", "/#", "+/#", "+/a/+", "$SYS/#", "a//b"])
    func `sound filters`(filter: String) { #expect(MQTTTopic.isFilter(filter)) }

    @Test(arguments: ["", "a#", "#a", "#/a", "a/#/b", "+a", "a+", "a/+b/c", "a/b+/c", "##", "++", "+#", "a\0b"])
    func `unsound filters`(filter: String) { #expect(!MQTTTopic.isFilter(filter)) }

    @Test(arguments: ["a", "A-z.0_9:", String(repeating: "x", count: 128)])
    func `sound identifiers`(text: String) { #expect(MQTTTopic.isIdentifier(text)) }

    @Test(arguments: ["", "a b", "a/b", "a+", "#", "ü", "a\0", "a\n", "é", "..%2f", String(repeating: "x", count: 129)])
    func `unsound identifiers`(text: String) { #expect(!MQTTTopic.isIdentifier(text)) }

    @Test(arguments: ["devices/d1/#", "devices/d1/commands/+", "devices/d1/messages/devicebound/#", "devices/d1/"])
    func `filters of a device's own tree`(filter: String) { #expect(MQTTTopic.isFilter(filter, ownedBy: "d1")) }

    @Test(arguments: [
        "#", "devices/#", "devices/+/#", "devices/d1", "devices/d12/#", "devices/d/#", "Devices/d1/#", "/d1",
    ])
    func `filters of others`(filter: String) { #expect(!MQTTTopic.isFilter(filter, ownedBy: "d1")) }

    @Test(arguments: [
        ("devices/d1/telemetry", "d1", ""),
        ("devices/a:b.c_d-e/telemetry", "a:b.c_d-e", ""),
        ("devices/d1/messages/events", "d1", ""),
        ("devices/d1/messages/events/", "d1", ""),
        ("devices/d1/messages/events/a=b", "d1", #"{"a":"b"}"#),
        ("devices/d1/messages/events/a=b&c=d%20e", "d1", #"{"a":"b","c":"d e"}"#),
        (
            "devices/d1/messages/events/$.ct=application%2Fjson&$.ce=utf-8", "d1",
            #"{"$.ct":"application/json","$.ce":"utf-8"}"#
        ),
        ("devices/d1/messages/events/a&b=&c=1=2", "d1", #"{"a":"","b":"","c":"1=2"}"#),
        ("devices/d1/messages/events/a=1&b=2&a=3", "d1", #"{"a":"3","b":"2"}"#),
        ("devices/d1/messages/events/q=%22%5C%0A%00", "d1", #"{"q":"\"\\\u000a\u0000"}"#),
        ("devices/d1/messages/events/k=%C3%BC/x", "d1", #"{"k":"ü/x"}"#),
        ("devices/d1/messages/events/&&", "d1", ""),
    ])
    func `topics that take telemetry`(topic: String, deviceID: String, properties: String) throws {
        let parsed = try DeviceTopic(topic)
        #expect(parsed.deviceID == deviceID)
        #expect(String(decoding: parsed.properties, as: UTF8.self) == properties)
    }

    @Test(arguments: [
        ("", nil), ("a", nil), ("$SYS/broker", nil), ("devices", nil), ("devices/d1", nil),
        ("/devices/d1/telemetry", nil),
        ("devices//telemetry", nil), ("devices/a b/telemetry", nil), ("devices/ü/telemetry", nil),
        ("devices/d1/telemetry/", "d1"), ("devices/d1/Telemetry", "d1"), ("devices/d1/messages", "d1"),
        ("devices/d1/messages/event/", "d1"), ("devices/d1/messages/events/%", "d1"),
        ("devices/d1/messages/events/a=%zz", "d1"), ("devices/d1/messages/events/a=%ff", "d1"),
        ("devices/d1/messages/events/=b", "d1"), ("devices/d1/messages/devicebound/x", "d1"),
    ])
    func `topics that take none say why`(topic: String, deviceID: String?) {
        let refusal = #expect(throws: DeviceTopic.Refusal.self) { try DeviceTopic(topic) }
        #expect(refusal?.deviceID == deviceID)
        #expect(refusal?.description.isEmpty == false)
    }

    @Test func `a property bag is bounded`() {
        let bag = (0..<33).map { "k\($0)=v" }.joined(separator: "&")
        #expect(throws: MQTTPropertyBag.Refusal.self) { try MQTTPropertyBag.json(bag) }
        #expect(throws: Never.self) {
            try MQTTPropertyBag.json(bag.split(separator: "&").dropLast().joined(separator: "&"))
        }
    }

    @Test func `a hostile topic is shortened and made harmless in the reason`() {
        let refusal = #expect(throws: DeviceTopic.Refusal.self) {
            try DeviceTopic("\u{1b}[31m" + String(repeating: "x", count: 4000))
        }
        #expect(refusal?.description.utf8.count ?? 0 < 200)
        #expect(refusal?.description.unicodeScalars.contains("\u{1b}") == false)
    }

    @Test func `levels without end do no harm`() {
        let deep = String(repeating: "/", count: 4000)
        #expect(throws: DeviceTopic.Refusal.self) { try DeviceTopic(deep) }
        #expect(MQTTTopic.isFilter(deep))
    }
}
