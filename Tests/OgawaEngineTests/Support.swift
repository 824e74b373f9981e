import OgawaCore
import OgawaEngine
import OgawaJSON
import OgawaSQL

/// One event of a test: a body and when it arrives; nil means at its own event time.
struct TestEvent {
    var body: String
    var arrival: Timestamp?
    var key = ""
    var partition = 0
    /// Properties as a JSON object; empty where there are none.
    var properties = ""
}

/// Runs a query over events and gives each output's rows as JSON lines.
func run(
    _ sql: String, _ events: [TestEvent], policy: OrderingPolicy = OrderingPolicy(), batchSize: Int = 1024,
    partitionCount: Int = 1, isStrict: Bool = true
) throws -> [String: [String]] {
    let compiled = try compile(SourceText(name: "test", text: sql), catalog: Catalog(streams: ["input"]))
    let collected = Rows()
    let statements = compiled.program.statements
    let pipeline = try Pipeline(
        compiled.program,
        configuration: Pipeline.Configuration(policy: policy, isStrict: isStrict, partitionCount: partitionCount)
    ) { collected.add($1, to: statements[$0].output) }
    var offsets = Array(repeating: 0, count: partitionCount)
    var index = 0
    while index < events.count {
        // A batch holds neighbours of one partition.
        let partition = events[index].partition
        let run = events[index...].prefix(batchSize).prefix { $0.partition == partition }
        try pipeline.process(batch(Array(run), partition: partition, offset: offsets[partition]), input: "input")
        offsets[partition] += run.count
        index += run.count
    }
    try pipeline.finish()
    return collected.rows
}

func batch(_ events: [TestEvent], partition: Int = 0, offset: Int = 0) -> EventBatch {
    var pending = PendingEvents()
    var batch = EventBatch(partition: PartitionID(partition), firstOffset: Offset(rawValue: Int64(offset)))
    for event in events {
        pending.append(key: event.key, body: event.body, properties: event.properties)
        batch.enqueuedTimes.append(event.arrival?.ticks ?? Pipeline.arrivesAtOwnTime)
    }
    batch.bytes = pending.bytes + Array(repeating: 0, count: EventBatch.paddingByteCount)
    batch.keys = pending.keys
    batch.bodies = pending.bodies
    batch.properties = pending.properties
    batch.lastEnqueuedTime = Timestamp(ticks: batch.enqueuedTimes.last ?? 0)
    return batch
}

final class Rows {
    private(set) var rows: [String: [String]] = [:]
    private let encoder = RowEncoder()

    func add(_ batch: RowBatch, to output: String) {
        encoder.clear()
        for line in encoder.encode(batch) {
            rows[output, default: []].append(
                String(decoding: UnsafeBufferPointer(rebasing: encoder.bytes[line.range]), as: UTF8.self))
        }
    }
}

/// A repeatable generator of test data.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// 2025-03-01T08:00:00Z plus milliseconds.
func at(_ milliseconds: Int) -> Timestamp { Timestamp(ticks: 17_408_160_000_000_000 + Int64(milliseconds) * 10_000) }
