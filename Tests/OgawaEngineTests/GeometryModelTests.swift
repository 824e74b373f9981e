import OgawaEngine
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Polygons and lines against models written from their definitions.
@Suite struct GeometryModelTests {
    typealias Place = (latitude: Double, longitude: Double)

    /// The place at a bearing and an angle (radians) from another.
    static func place(from center: Place, bearing: Double, angle: Double) -> Place {
        let latitude = center.latitude * .pi / 180
        let sine = sin(latitude) * cos(angle) + cos(latitude) * sin(angle) * cos(bearing)
        let east = atan2(sin(bearing) * sin(angle) * cos(latitude), cos(angle) - sin(latitude) * sine)
        let longitude = (center.longitude + east * 180 / .pi).remainder(dividingBy: 360)
        return (asin(min(1, max(-1, sine))) * 180 / .pi, longitude)
    }

    /// The bearing from one place to another on the sphere.
    static func bearing(from one: Place, to other: Place) -> Double {
        let (p1, p2) = (one.latitude * .pi / 180, other.latitude * .pi / 180)
        let difference = (other.longitude - one.longitude) * .pi / 180
        return atan2(
            sin(difference) * cos(p2), cos(p1) * sin(p2) - sin(p1) * cos(p2) * cos(difference))
    }

    static func text(_ kind: String, _ places: [Place]) -> String {
        let list = places.map { "\($0.longitude) \($0.latitude)" }.joined(separator: ", ")
        return kind == "POLYGON"
            ? "POLYGON((\(list), \(places[0].longitude) \(places[0].latitude)))" : "\(kind)(\(list))"
    }

    /// A counter-clockwise star around a center, its corners at most `reach` away.
    static func star(_ center: Place, reach: Double, _ generator: inout SeededGenerator) -> [Place] {
        let count = Int.random(in: 3...12, using: &generator)
        return (0..<count).map { index in
            let bearing = -2 * .pi * Double(index) / Double(count)
            return place(
                from: center, bearing: bearing, angle: reach * .random(in: 0.3...1, using: &generator))
        }
    }

    static func somewhere(_ generator: inout SeededGenerator) -> Place {
        (Double.random(in: -88...88, using: &generator), Double.random(in: -180...180, using: &generator))
    }

    /// How often the ring runs around a place, by the sum of the turns of the line of sight.
    static func windingNumber(_ ring: [Place], around point: Place) -> Int {
        var sum = 0.0
        for (one, next) in zip(ring, ring.dropFirst() + ring.prefix(1)) {
            sum += (bearing(from: point, to: one) - bearing(from: point, to: next)).remainder(dividingBy: 2 * .pi)
        }
        return Int((sum / (2 * .pi)).rounded())
    }

    @Test func `a point is within a polygon where the ring winds around it`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        var inside = 0
        for _ in 0..<400 {
            let center = Self.somewhere(&generator)
            let reach = SeededGenerator.pick([0.0001, 0.01, 0.3, 1.2], &generator)
            let ring = Self.star(center, reach: reach, &generator)
            let polygon = try Geometry(text: Self.text("POLYGON", ring))
            let rest = try Geometry(text: Self.text("POLYGON", ring.reversed()))
            for _ in 0..<20 {
                let point =
                    Int.random(in: 0..<5, using: &generator) == 0
                    ? Self.somewhere(&generator)
                    : Self.place(
                        from: center, bearing: .random(in: 0...7, using: &generator),
                        angle: reach * .random(in: 0...1.3, using: &generator))
                let isInside = Self.windingNumber(ring, around: point) == 1
                inside += isInside ? 1 : 0
                let geometry = try Geometry(text: Self.text("POINT", [point]))
                #expect(geometry.isWithin(polygon) == isInside, "seed \(seed): \(point) in \(ring)")
                #expect(geometry.isWithin(rest) == !isInside, "seed \(seed): \(point) in the rest of \(ring)")
                #expect((geometry.distance(to: polygon) == 0) == isInside, "seed \(seed)")
            }
        }
        #expect((2000...6000).contains(inside), "seed \(seed)")
    }

    @Test func `within, overlaps and intersects agree with points strewn over both polygons`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        var kinds = [0, 0, 0, 0]
        for _ in 0..<250 {
            let center = Self.somewhere(&generator)
            let reach = SeededGenerator.pick([0.001, 0.2], &generator)
            let second = Self.place(
                from: center, bearing: .random(in: 0...7, using: &generator),
                angle: reach * .random(in: 0...2, using: &generator))
            let one = Self.star(center, reach: reach, &generator)
            let other = Self.star(second, reach: reach * .random(in: 0.1...1, using: &generator), &generator)
            let (a, b) = (
                try Geometry(text: Self.text("POLYGON", one)), try Geometry(text: Self.text("POLYGON", other))
            )
            // Which of both, only the first, only the second are seen.
            var seen = (both: false, first: false, second: false)
            for index in 0..<400 {
                let point = Self.place(
                    from: index % 2 == 0 ? center : second, bearing: .random(in: 0...7, using: &generator),
                    angle: reach * .random(in: 0...1, using: &generator))
                let inFirst = Self.windingNumber(one, around: point) == 1
                let inSecond = Self.windingNumber(other, around: point) == 1
                if inFirst, inSecond { seen.both = true }
                if inFirst, !inSecond { seen.first = true }
                if inSecond, !inFirst { seen.second = true }
            }
            let overlaps = a.overlaps(b)
            #expect(overlaps == b.overlaps(a), "seed \(seed)")
            if seen.both, seen.first, seen.second {
                kinds[0] += 1
                #expect(overlaps, "seed \(seed): \(one), \(other)")
            }
            if seen.both { #expect(a.intersects(b) && a.distance(to: b) == 0, "seed \(seed)") }
            if overlaps { #expect(a.intersects(b) && !a.isWithin(b) && !b.isWithin(a), "seed \(seed)") }
            if b.isWithin(a) {
                kinds[1] += 1
                #expect(!overlaps && !seen.second, "seed \(seed): \(one), \(other)")
            } else if !overlaps, !a.isWithin(b) {
                kinds[2] += 1
                #expect(!seen.both, "seed \(seed): \(one), \(other)")
                #expect(a.intersects(b) == (a.distance(to: b) == 0), "seed \(seed)")
            }
        }
        #expect(kinds[0] > 40 && kinds[1] > 10 && kinds[2] > 40, "seed \(seed): \(kinds)")
    }

    @Test func `the distance to a line is that to the nearest of many of its points`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<60 {
            let start = Self.somewhere(&generator)
            let length = SeededGenerator.pick([0.0002, 0.05, 1.5], &generator)
            let bearing = Double.random(in: 0...6.28, using: &generator)
            let end = Self.place(from: start, bearing: bearing, angle: length)
            let from = Self.place(
                from: Self.place(from: start, bearing: bearing, angle: length / 2),
                bearing: .random(in: 0...7, using: &generator),
                angle: length * .random(in: 0.01...1.2, using: &generator))
            let line = try Geometry(text: Self.text("LINESTRING", [start, end]))
            let point = try Geometry(text: Self.text("POINT", [from]))
            func metres(_ share: Double) -> Double {
                let foot = Self.place(from: start, bearing: bearing, angle: length * share)
                return Geodesic.inverse(
                    latitude1: from.latitude, longitude1: from.longitude, latitude2: foot.latitude,
                    longitude2: foot.longitude
                ).distance
            }
            // The nearest of 200 points, then ever finer around it.
            var (low, high) = (0.0, 1.0)
            for _ in 0..<6 {
                let step = (high - low) / 200
                let best = (0...200).map { low + Double($0) * step }.min { metres($0) < metres($1) } ?? 0
                (low, high) = (max(0, best - step), min(1, best + step))
            }
            let wanted = metres((low + high) / 2)
            let found = point.distance(to: line)
            #expect(found == line.distance(to: point))
            #expect(abs(found - wanted) < 0.001, "seed \(seed): \(found), not \(wanted)")
        }
    }

    @Test func `damaged texts end in an error and never in a trap`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        let texts = [
            "POLYGON((10 59, 11 59, 11 60, 10 60, 10 59))", "SRID=4326;POINT Z (1.5e1 2 3)",
            #"{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,10],[0,0]]]}"#,
            #"{"coordinates":[1.25,-3e-2],"x":{"y":["\"",[]]},"type":"Point"}"#,
        ]
        for text in texts { _ = try Geometry(text: text) }
        for _ in 0..<4000 {
            var bytes = Array((texts.randomElement(using: &generator) ?? "").utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = Array("{}[](),\"0e-+.: \\xZ9".utf8).randomElement(using: &generator) ?? 0
                case 1: bytes.remove(at: index)
                default: bytes.removeSubrange(index...)
                }
                if bytes.isEmpty { bytes = [0x20] }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if let geometry = try? Geometry(text: text) { #expect(geometry.intersects(geometry), "\(text)") }
        }
    }
}
