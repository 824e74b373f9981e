import OgawaCore
import OgawaLog
import OgawaServer
import OgawaStore

// Reference data of a running instance: looked at as often as the project says, and forgotten with the events that read them.
extension Instance {
    /// The keeper of reference data, which reads tables among the outputs.
    func makeReferences(_ project: Project, _ outputs: OutputRegistry) -> ReferenceKeeper {
        ReferenceKeeper(dataDirectory: project.dataDirectory, clock: clock) { name in
            guard let output = outputs.output(name), case .table(let table) = output.target else { return nil }
            return table
        }
    }

    /// Reads reference data whose time has come, on a thread of its own.
    func refreshReferences() async {
        guard let references = state.withLock({ $0.core?.references }), references.isDue else { return }
        await onThread { self.tell(references.poll()) }
    }

    /// Lists problems among the rejections, and logs everything.
    func tell(_ notes: [ReferenceNote]) {
        for note in notes {
            guard note.isProblem else {
                options.logger.info("\(note.text)")
                continue
            }
            options.logger.warning("\(note.text)")
            rejections.append(kind: .error, stream: nil, function: nil, device: nil, reason: note.text)
        }
    }

    /// Removes versions of reference data that no event in the log reads any more.
    func pruneReferences() {
        let (core, project) = state.withLock { ($0.core, $0.project) }
        guard let core, core.references.hasOldVersions else { return }
        var oldest = clock.now()
        for partition in core.log.streams.flatMap(\.partitions) {
            do {
                oldest = min(oldest, try partition.oldestEnqueuedTime ?? oldest)
            } catch {
                // What cannot be read now may be read by a later replay.
                return
            }
        }
        // An event's own time may be that much before the time of its arrival.
        let late = project.streams.map(\.policy.late).max() ?? .zero
        tell(core.references.prune(before: oldest.advanced(by: .zero - late)))
    }
}

extension LogPartition {
    /// No event that is kept was enqueued before this; nil where there is none.
    fileprivate var oldestEnqueuedTime: Timestamp? {
        get throws {
            guard firstOffset < nextOffset, let (batch, next) = try read(from: startPosition, maxByteCount: 1) else {
                return nil
            }
            // Without an event these are idle markers before the first one.
            return batch.enqueuedTimes.first.map(Timestamp.init(ticks:)) ?? next.enqueuedTime
        }
    }
}

extension Project {
    /// The reference data of a name, without regard to ASCII case.
    package func reference(_ name: String) -> ReferenceSettings? {
        let lowered = name.lowercased()
        return references.first { $0.name.lowercased() == lowered }
    }
}
