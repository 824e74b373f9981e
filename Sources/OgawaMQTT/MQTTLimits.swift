/// Bounds on what a peer may make us hold or do, apart from those that the listener's configuration sets.
package enum MQTTLimits {
    /// The longest remaining length that four length bytes can say.
    package static let remainingByteCount = 268_435_455
    /// The longest topic of a PUBLISH; Azure's property bag is a part of it.
    package static let topicByteCount = 4096
    /// The longest topic filter.
    package static let filterByteCount = 1024
    /// The most filters in one SUBSCRIBE or UNSUBSCRIBE.
    package static let filtersPerPacket = 64
    /// The most filters that one connection may hold; further ones are refused with 0x80.
    package static let subscriptionsPerConnection = 50
    /// The most properties in a topic's property bag.
    package static let propertiesPerMessage = 32
    /// The longest client or device id.
    package static let identifierByteCount = 128
}
