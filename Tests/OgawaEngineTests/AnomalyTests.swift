import OgawaCore
import OgawaEngine
import OgawaSQL
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The detectors against their definitions, on made series with known anomalies, and on real ones with labelled faults.
@Suite struct AnomalyTests {
    /// A normally distributed number.
    static func noise(_ generator: inout SeededGenerator) -> Double {
        let radius = (-2 * log(Double.random(in: 1e-12...1, using: &generator))).squareRoot()
        return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &generator))
    }

    // MARK: Definitions

    /// The score of a spike, straight from the definition.
    static func spikeScore(_ value: Double, _ history: [Double], _ mode: SpikeDetector.Mode) -> Double {
        let sorted = history.sorted()
        let count = Double(history.count)
        let mean = sorted.reduce(0) { $0 + $1 / count }
        let deviation = (sorted.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
        func quantile(_ share: Double) -> Double {
            let position = share * (count - 1)
            let low = sorted[Int(position)]
            let high = sorted[min(sorted.count - 1, Int(position) + 1)]
            return low + (high - low) * (position - position.rounded(.down))
        }
        let range = quantile(0.75) - quantile(0.25)
        let scale = range > 0 ? min(deviation, range / 1.348_979_500_392_163) : deviation
        let least = max(1e-9 * max(abs(sorted[0]), abs(sorted[sorted.count - 1])), .leastNormalMagnitude)
        var above = 0.0
        var below = 0.0
        for (index, center) in sorted.enumerated() {
            var others = sorted
            others.remove(at: index)
            let distances = others.map { abs($0 - center) }.sorted()
            let reach = distances[min(distances.count, max(1, history.count / 4)) - 1]
            let local = max(min(scale, reach / 0.318_639_363_964_375), scale * 0.01, least)
            let z = (value - center) / (local * 2.0.squareRoot())
            above += erfc(z / 2.0.squareRoot()) / 2
            below += erfc(-z / 2.0.squareRoot()) / 2
        }
        switch mode {
        case .spikes: return above / count
        case .dips: return below / count
        case .spikesAndDips: return min(1, 2 * min(above, below) / count)
        }
    }

    @Test func `the score of a spike is the tail of the kernels around the last values`() {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        for mode in SpikeDetector.Mode.allCases {
            var detector = SpikeDetector(confidence: 95, historySize: 25, mode: mode)
            var history: [Double] = []
            for step in 0..<200 {
                let value = (Self.noise(&generator) * 4).rounded() / 2 + (step % 40 == 39 ? 20 : 0)
                let (isAnomaly, score) = detector.add(value)
                if history.count >= 8 {
                    let wanted = Self.spikeScore(value, history, mode)
                    #expect(abs(score - wanted) <= 1e-9, "seed \(seed), step \(step): \(score), not \(wanted)")
                    #expect(isAnomaly == (score < 1 - 95.0 / 100))
                } else {
                    #expect(!isAnomaly && score == 1)
                }
                history.append(value)
                if history.count > 25 { history.removeFirst() }
                if step % 31 == 30 {
                    history.removeFirst()
                    detector.forgetOldest()
                }
            }
        }
    }

    @Test func `the score of a change is the mean of three martingales of ranks`() {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        var detector = ChangePointDetector(confidence: 100, historySize: 30)
        var history: [Double] = []
        var martingales = [0.0, 0.0, 0.0]
        var sums = [0.0, 0.0, 0.0]
        var lengths = [0, 0, 0]
        for step in 0..<300 {
            let value = (Self.noise(&generator) * 4).rounded() / 2 + (step > 200 ? 3 : 0)
            let all = (history + [value]).sorted()
            let middle = all.count / 2
            let median = all.count % 2 == 1 ? all[middle] : all[middle - 1] / 2 + all[middle] / 2
            let measures: [(Double) -> Double] = [{ $0 }, { -$0 }, { abs($0 - median) }]
            for (index, measure) in measures.enumerated() {
                let own = measure(value)
                let known = history.dropLast(min(lengths[index], history.count / 2))
                let stranger = known.filter { measure($0) > own }.count
                let equal = known.filter { measure($0) == own }.count + 1
                let p = (Double(stranger) + Double(equal) / 2) / Double(known.count + 1)
                // The mixture of power bets, by its integral.
                let parts = 400
                let bet =
                    (0..<parts).map { part -> Double in
                        let epsilon = (Double(part) + 0.5) / Double(parts)
                        return epsilon * pow(p, epsilon - 1)
                    }.reduce(0, +) / Double(parts)
                martingales[index] = (1 + martingales[index]) * bet
                sums[index] = max(0, sums[index] + log(bet))
                lengths[index] = sums[index] > 0 ? lengths[index] + 1 : 0
            }
            let (isAnomaly, score) = detector.add(value)
            let wanted = martingales.reduce(0, +) / 3
            #expect(!isAnomaly)
            #expect(abs(score - wanted) <= 1e-2 * wanted, "seed \(seed), step \(step): \(score), not \(wanted)")
            history.append(value)
            if history.count > 30 { history.removeFirst() }
        }
    }

    // MARK: Made series

    @Test func `spikes and dips stand out of noise`() {
        var (found, missed, wrong) = (0, 0, 0)
        for seed in 0..<10 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var detector = SpikeDetector(confidence: 95, historySize: 120, mode: .spikesAndDips)
            for step in 0..<1500 {
                let isSpike = step % 60 == 59
                let value = 20 + Self.noise(&generator) + (isSpike ? (step % 120 == 59 ? 8 : -8) : 0)
                let (isAnomaly, _) = detector.add(value)
                if isSpike { found += isAnomaly ? 1 : 0 } else if isAnomaly { wrong += 1 }
                if isSpike, !isAnomaly { missed += 1 }
            }
        }
        print("spikes: found \(found), missed \(missed), wrong \(wrong) of 15000")
        #expect(missed <= 2 && found >= 248)
        #expect(wrong <= 30)
    }

    @Test func `a mode looks at its own side only`() {
        for (mode, offset, isSeen) in [
            (SpikeDetector.Mode.spikes, 9.0, true), (.spikes, -9, false), (.dips, -9, true), (.dips, 9, false),
        ] {
            var generator = SeededGenerator(seed: 3)
            var detector = SpikeDetector(confidence: 98, historySize: 60, mode: mode)
            for _ in 0..<60 { _ = detector.add(Self.noise(&generator)) }
            #expect(detector.add(offset).isAnomaly == isSeen)
        }
    }

    @Test func `a value between two levels of operation is an anomaly`() {
        var generator = SeededGenerator(seed: 5)
        var detector = SpikeDetector(confidence: 95, historySize: 120, mode: .spikes)
        for step in 0..<240 { _ = detector.add(Self.noise(&generator) + (step / 10 % 2 == 0 ? 0 : 100)) }
        #expect(detector.add(115).isAnomaly)
        #expect(!detector.add(100).isAnomaly)
        #expect(!detector.add(0).isAnomaly)
    }

    @Test func `a lower confidence finds more`() {
        let counts = [70.0, 80, 90, 95, 99, 100].map { confidence -> Int in
            var generator = SeededGenerator(seed: 11)
            var detector = SpikeDetector(confidence: confidence, historySize: 100, mode: .spikesAndDips)
            return (0..<2000).filter { _ in detector.add(Self.noise(&generator)).isAnomaly }.count
        }
        #expect(counts == counts.sorted(by: >) && counts.last == 0 && counts[0] > counts[3], "\(counts)")
    }

    @Test func `a lasting change is found soon and once`() {
        var delays: [Int] = []
        var early = 0
        var later = 0
        for seed in 0..<20 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var detector = ChangePointDetector(confidence: 90, historySize: 120)
            var alarms: [Int] = []
            for step in 0..<800 {
                let value = Self.noise(&generator) + (step >= 400 ? 3 : 0)
                if detector.add(value).isAnomaly { alarms.append(step) }
            }
            early += alarms.filter { $0 < 400 }.count
            let after = alarms.filter { $0 >= 400 }
            if let first = after.first { delays.append(first - 400) }
            later += max(0, after.count - 1)
        }
        print("changes: delays \(delays.sorted()), early \(early), later \(later)")
        #expect(delays.count == 20 && delays.allSatisfy { $0 <= 20 })
        #expect(early <= 8 && later <= 8)
    }

    @Test func `false alarms of a change are as rare as promised`() {
        var alarms = 0
        for seed in 0..<40 {
            var generator = SeededGenerator(seed: UInt64(seed + 100))
            var detector = ChangePointDetector(confidence: 90, historySize: 100)
            for _ in 0..<2000 where detector.add(Self.noise(&generator)).isAnomaly { alarms += 1 }
        }
        print("changes: \(alarms) false alarms in 80000 values, promised at most 80")
        #expect(alarms <= 80)
    }

    @Test func `one spike is no change`() {
        var generator = SeededGenerator(seed: 8)
        var detector = ChangePointDetector(confidence: 90, historySize: 120)
        for step in 0..<600 {
            let value = Self.noise(&generator) + (step == 300 ? 50 : 0)
            let (isAnomaly, _) = detector.add(value)
            if (295..<310).contains(step) { #expect(!isAnomaly) }
        }
    }

    @Test func `values that never vary, and values beyond measure, do no harm`() {
        var spikes = SpikeDetector(confidence: 95, historySize: 20, mode: .spikesAndDips)
        var changes = ChangePointDetector(confidence: 95, historySize: 20)
        for value in Array(repeating: 20.5, count: 50) + [
            .nan, .infinity, -.infinity, 1e308, -1e308, 0, .leastNonzeroMagnitude, 20.5,
        ] {
            let (one, other) = (spikes.add(value), changes.add(value))
            #expect(one.score.isFinite && (0...1).contains(one.score), "\(value): \(one)")
            #expect(other.score.isFinite && other.score >= 0, "\(value): \(other)")
            if value == 20.5 { #expect(!one.isAnomaly && !other.isAnomaly) }
        }
    }

    // MARK: Real series

    /// The folder beside the repository, or the one named in the environment.
    static let folder: String =
        getenv("OGAWA_SERIES").map { String(cString: $0) }
        ?? #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined() + "/shared/data"

    /// The values of a series of the Numenta benchmark and whether each lies in a labelled fault; nil where the files are absent.
    static func series(_ name: String, _ faults: [(String, String)]) -> [(value: Double, fault: Int?)]? {
        guard let file = fopen("\(folder)/\(name).csv", "r") else { return nil }
        defer { fclose(file) }
        var rows: [(value: Double, fault: Int?)] = []
        var buffer = [CChar](repeating: 0, count: 200)
        while fgets(&buffer, 200, file) != nil {
            let line = String(
                decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let parts = line.split(separator: ",")
            guard parts.count == 2, let value = Double(parts[1]) else { continue }
            rows.append((value, faults.firstIndex { parts[0] >= $0.0 && parts[0] <= $0.1 }))
        }
        return rows
    }

    static let machineFaults = [
        ("2013-12-10 06:25", "2013-12-12 05:35:01"), ("2013-12-15 17:50", "2013-12-17 17:00:01"),
        ("2014-01-27 14:20", "2014-01-29 13:30:01"), ("2014-02-07 14:55", "2014-02-09 14:05:01"),
    ]

    @Test func `spikes of a real machine are denser by ten times in its shutdown and its failure`() {
        guard let rows = Self.series("machine_temperature_system_failure", Self.machineFaults) else {
            print("no series at \(Self.folder): skipped (set OGAWA_SERIES)")
            return
        }
        var detector = SpikeDetector(confidence: 99, historySize: 288, mode: .spikesAndDips)
        var hits = [0, 0, 0, 0]
        var outside = 0
        for row in rows where detector.add(row.value).isAnomaly {
            if let fault = row.fault { hits[fault] += 1 } else { outside += 1 }
        }
        print("machine, confidence 99, a day of history: in the faults \(hits), outside \(outside) of \(rows.count)")
        let inner = Double(hits[1] + hits[3]) / Double(rows.filter { $0.fault == 1 || $0.fault == 3 }.count)
        let outer = Double(outside) / Double(rows.filter { $0.fault == nil }.count)
        #expect(hits[1] > 0 && hits[3] > 0 && inner > 9 * outer)
        #expect(outer < 0.005)
    }

    @Test func `every labelled fault of a real machine has a change point in its hourly means`() {
        guard let rows = Self.series("machine_temperature_system_failure", Self.machineFaults) else {
            print("no series at \(Self.folder): skipped (set OGAWA_SERIES)")
            return
        }
        var detector = ChangePointDetector(confidence: 90, historySize: 168)
        var hits = [0, 0, 0, 0]
        var outside = 0
        for start in stride(from: 0, to: rows.count - 11, by: 12) {
            let hour = rows[start..<start + 12]
            guard detector.add(hour.map(\.value).reduce(0, +) / 12).isAnomaly else { continue }
            if let fault = hour.last?.fault { hits[fault] += 1 } else { outside += 1 }
        }
        print(
            "machine, hourly means, a week of history: changes in the faults \(hits), outside \(outside) of \(rows.count / 12)"
        )
        #expect(hits.allSatisfy { $0 > 0 } && outside < rows.count / 12 / 20)
    }

    // MARK: SQL

    @Test func `the result does not depend on batches, nor on a restart`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        let sql = """
            SELECT d, AnomalyDetection_SpikeAndDip(v, 90, 20, 'spikesanddips') OVER (PARTITION BY d LIMIT DURATION(second, 30)
            WHEN v < 1000) AS s, AnomalyDetection_ChangePoint(v, 80, 30) OVER (PARTITION BY d LIMIT DURATION(minute, 5)) AS c
            INTO out FROM input TIMESTAMP BY ts
            """
        let events = (0..<400).map { step in
            let value = Self.noise(&generator) + (step > 250 ? 4 : 0)
            return TestEvent(body: #"{"d":\#(step % 3),"v":\#(value),"ts":"\#(at(step * 700))"}"#)
        }
        let wanted = try run(sql, events)["out"] ?? []
        #expect(wanted.count == 400)
        for size in [1, 7] { #expect(try run(sql, events, batchSize: size)["out"] == wanted, "seed \(seed)") }
        let program = try compile(SourceText(name: "test", text: sql), catalog: Catalog(streams: ["input"])).program
        let collected = Rows()
        func pipeline() throws -> Pipeline {
            try Pipeline(program, configuration: Pipeline.Configuration(policy: OrderingPolicy(), isStrict: true)) {
                collected.add($1, to: program.statements[$0].output)
            }
        }
        let cut = Int.random(in: 0...400, using: &generator)
        let first = try pipeline()
        try first.process(batch(Array(events[..<cut])), input: "input")
        let state = first.save()
        let second = try pipeline()
        try second.restore(state)
        try second.process(batch(Array(events[cut...]), offset: cut), input: "input")
        try second.finish()
        #expect(collected.rows["out"] == wanted, "seed \(seed), cut at \(cut)")
        for _ in 0..<30 {
            var damaged = state
            damaged[Int.random(in: 0..<damaged.count, using: &generator)] ^= UInt8.random(
                in: 1...255, using: &generator)
            let third = try pipeline()
            if (try? third.restore(damaged)) != nil {
                try? third.process(batch(Array(events[cut...]), offset: cut), input: "input")
            }
        }
    }
}
