import OgawaCore
import Synchronization

/// A named set of partitions; a key always goes to the same one.
///
/// **Isolation.** Any thread or task.
package final class LogStream: Sendable {
    package let name: String
    /// In the order of their numbers.
    package let partitions: [LogPartition]

    init(name: String, partitions: [LogPartition]) {
        self.name = name
        self.partitions = partitions
    }

    /// The partition that holds the records of a key.
    package func partition(forKey key: UnsafeRawBufferPointer) -> LogPartition {
        partitions[OgawaCore.partition(forKey: key, count: partitions.count).index]
    }

    /// Splits events by key, appends to each partition, and calls back once.
    ///
    /// **Shape.** Receipts come in partition order, one for each partition that got events.
    /// **Isolation.** The callback runs on a writer thread, or at once on the caller's where an append is refused; it must not block.
    /// **Errors.** The first of any partition, as ``LogPartition/append(_:producer:completion:)``; others may have taken their part.
    package func append(
        _ events: PendingEvents, completion: @escaping @Sendable (Result<[AppendReceipt], LogError>) -> Void
    ) {
        if partitions.count == 1 {
            return partitions[0].append(events) { completion($0.map { [$0] }) }
        }
        let parts = split(events)
        if parts.isEmpty { return completion(.success([])) }
        // Better to refuse the whole than to take a part and have the sender repeat it.
        for part in parts {
            let pending = PendingAppend(work: .events(part.events, nil)) { _ in }
            if let refusal = part.partition.refusalNow(of: pending.byteCount) { return completion(.failure(refusal)) }
        }
        let gathering = ReceiptGathering(count: parts.count, completion: completion)
        for (index, part) in parts.enumerated() {
            part.partition.append(part.events) { gathering.add($0, at: index) }
        }
    }

    /// Splits events by key, appends to each partition, and returns when all are durable.
    ///
    /// **Isolation.** Suspends; cancelling does not take the append back.
    package func append(_ events: PendingEvents) async throws -> [AppendReceipt] {
        try await withCheckedThrowingContinuation { continuation in
            append(events) { continuation.resume(with: $0) }
        }
    }

    /// Takes over durability, retention and limits of a changed configuration; its name and partition count are not looked at.
    package func update(_ configuration: StreamConfiguration) {
        for partition in partitions { partition.settings.withLock { $0 = PartitionSettings(configuration) } }
    }

    private func split(_ events: PendingEvents) -> [(partition: LogPartition, events: PendingEvents)] {
        var parts = [PendingEvents](repeating: PendingEvents(), count: partitions.count)
        events.bytes.withUnsafeBytes { bytes in
            for index in 0..<events.count {
                let key = UnsafeRawBufferPointer(rebasing: bytes[events.keys[index].range])
                parts[OgawaCore.partition(forKey: key, count: partitions.count).index].append(
                    key: key, body: UnsafeRawBufferPointer(rebasing: bytes[events.bodies[index].range]),
                    properties: UnsafeRawBufferPointer(rebasing: bytes[events.properties[index].range]))
            }
        }
        return zip(partitions, parts).filter { !$1.isEmpty }.map { ($0, $1) }
    }
}

/// Waits for the receipts of all partitions.
private final class ReceiptGathering: Sendable {
    private let state: Mutex<(receipts: [AppendReceipt?], missing: Int, isDone: Bool)>
    private let completion: @Sendable (Result<[AppendReceipt], LogError>) -> Void

    init(count: Int, completion: @escaping @Sendable (Result<[AppendReceipt], LogError>) -> Void) {
        state = Mutex(([AppendReceipt?](repeating: nil, count: count), count, false))
        self.completion = completion
    }

    func add(_ result: Result<AppendReceipt, LogError>, at index: Int) {
        let outcome: Result<[AppendReceipt], LogError>? = state.withLock { state in
            guard !state.isDone else { return nil }
            switch result {
            case .success(let receipt):
                state.receipts[index] = receipt
                state.missing -= 1
                guard state.missing == 0 else { return nil }
                state.isDone = true
                return .success(state.receipts.compactMap { $0 })
            case .failure(let error):
                state.isDone = true
                return .failure(error)
            }
        }
        if let outcome { completion(outcome) }
    }
}
