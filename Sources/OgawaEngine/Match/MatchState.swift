import OgawaCore

/// The candidates of open runs, the one that ends earliest on top: a binary heap, from which outdated entries are removed when they come up.
struct CandidateQueue {
    struct Entry {
        /// The number of the candidate's last row.
        var last: Int64
        /// The number of the run's first row.
        var first: Int64
        var run: Int

        static func < (one: Entry, other: Entry) -> Bool { (one.last, one.first) < (other.last, other.first) }
    }

    private var entries: [Entry] = []

    var top: Entry? { entries.first }

    mutating func push(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0, entries[child] < entries[(child - 1) / 2] {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() {
        guard let last = entries.popLast(), !entries.isEmpty else { return }
        entries[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && entries[child] < entries[least]
            {
                least = child
            }
            guard least != parent else { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}

extension MatchMemory {
    func save(to writer: inout StateWriter) {
        for value in values {
            writer.write(value != nil)
            if let value { writer.write(value) }
        }
        writer.write(labels)
    }

    init(from reader: inout StateReader, registerCount: Int, variableCount: Int) throws {
        values = []
        for _ in 0..<registerCount { values.append(try reader.readBool() ? try reader.readValue() : nil) }
        labels = try reader.readArray(of: UInt16.self)
        guard labels.allSatisfy({ Int($0) <= variableCount }) else { throw StateError() }
    }
}

extension MatchRun {
    func save(to writer: inout StateWriter) {
        writer.write(UInt64(key))
        writer.write(firstTime)
        writer.write(sequence)
        writer.write(threads.count)
        for thread in threads {
            writer.write(thread.state)
            thread.memory.save(to: &writer)
        }
        writer.write(candidate != nil)
        guard let candidate else { return }
        writer.write(candidate.time)
        writer.write(candidate.sequence)
        candidate.memory.save(to: &writer)
    }

    init(from reader: inout StateReader, stateCount: Int, registerCount: Int, variableCount: Int) throws {
        guard let key = UInt32(exactly: try reader.readUInt64()) else { throw StateError() }
        self.key = key
        firstTime = try reader.readInt64()
        sequence = try reader.readInt64()
        threads = []
        for _ in 0..<(try reader.readCount(ofSize: 8)) {
            let state = try reader.readInt()
            guard (0..<stateCount).contains(state) else { throw StateError() }
            let memory = try MatchMemory(
                from: &reader, registerCount: registerCount, variableCount: variableCount)
            threads.append(MatchThread(state: state, memory: memory))
        }
        guard try reader.readBool() else { return }
        let (time, last) = (try reader.readInt64(), try reader.readInt64())
        candidate = MatchCandidate(
            memory: try MatchMemory(from: &reader, registerCount: registerCount, variableCount: variableCount),
            time: time, sequence: last)
    }
}
