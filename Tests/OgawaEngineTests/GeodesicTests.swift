import OgawaEngine
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Geodesics against published values and against Vincenty's independent formula.
@Suite struct GeodesicTests {
    /// Latitude and longitude of two points, and metres as GeographicLib 2.1 gives them; the first five are in the literature.
    static let known: [(Double, Double, Double, Double, Double)] = [
        (40.6, -73.8, 51.6, -0.5, 5551759.4003187),
        (-30.12345, 0, -30.12344, 0.00005, 4.9442083),
        (-30, 0, 29.9, 179.8, 19989832.8276095),
        (0, 0, 0.5, 179.5, 19936288.5789653),
        (0, 0, 0.5, 179.7, 19944127.4207505),
        (-5, -5, 0, 0, 784028.7398090),
        (0, 0, 0, 180, 20003931.4586254),
        (90, 0, -90, 0, 20003931.4586254),
        (0, 0, 0, 179.5, 19980861.9088910),
        (0, 0, 0, 90, 10018754.1713946),
        (30, 0, -30, 180, 20003931.4586254),
        (10, 170, -10, -170, 3130218.1984358),
        (89.999, 10, 89.999, -170, 223.3879591),
        (59.5, 10.5, 59.5000001, 10.5000001, 0.0124975),
        (35.68, 139.69, -33.87, 151.21, 7792095.1534017),
        (0, 0, 0.0000001, 179.999, 20003931.3552633),
        (1, 0, -1, 179.4, 19970715.5165960),
        (-45, 0, 44.9999, 179.99, 20003911.1180169),
        (0, 0, 45, 180, 15018987.0806477),
        (-90, 5, 12, 77, 11329050.1989062),
        (-31.7101, -125.6943, 27.1682, -153.9229, 7171504.0230776),
        (6.4588, -48.352, -79.5602, 2.6769, 9978476.8159407),
        (-83.2508, -23.8876, -77.426, -147.3433, 1923732.1945378),
        (-13.5865, 117.6668, -67.7156, -99.634, 10502397.0090108),
        (22.938, 161.1752, 13.8785, -37.195, 15471905.7062253),
        (85.7259, -163.2302, 64.5243, -75.7407, 2860106.1965271),
        (-64.0341, -137.5948, -34.4733, 113.8055, 7446684.7163497),
        (-57.4693, 29.3761, 25.0044, -45.9369, 11485980.2321674),
        (8.594, -157.396, -79.2718, -105.8549, 10199907.3570690),
        (32.472, -26.0668, -33.4535, 30.8023, 9420971.8204659),
        (-8.4268, -72.0839, 52.9883, 71.638, 14087068.0046171),
        (-46.0626, 26.7925, 4.5354, 135.0495, 11777080.2375213),
        (41.3002, -76.3424, 86.4315, -137.4963, 5244471.9525399),
        (-14.7379, 92.5707, -62.6428, -3.9733, 8892821.9054866),
        (-82.9427, 60.5577, 47.6228, 26.2893, 14612434.7876435),
        (67.586, -67.0509, 35.1532, 33.9732, 6887009.9999098),
        (14.3811, -15.7661, 61.1942, 160.0852, 11618230.5287146),
        (-4.6623, 59.0948, -79.0795, 72.5371, 8301188.4429689),
        (26.4832, 177.5145, 57.9465, -77.5456, 8377367.6764360),
        (-20.5575, 60.715, -85.9387, -13.7897, 7612485.2752079),
        (-53.112, -158.923, 52.8474, 21.2916, 19972576.0653538),
        (-59.306, -135.429, 59.2406, 44.8681, 19991096.1072488),
        (-67.107, -99.146, 67.1367, 81.1607, 19994550.3513699),
        (51.085, -24.483, -51.2179, 155.4492, 19988874.0763499),
        (-22.597, -20.845, 22.8716, 158.8757, 19968866.7642383),
        (-51.805, -138.248, 51.645, 41.74, 19986121.6465417),
        (14.26, -132.706, -14.5575, 47.2292, 19970760.6907927),
        (-20.919, -78.059, 21.1909, 102.0934, 19972415.6212087),
        (2.479, -68.833, -2.3733, 110.8102, 19982342.4148585),
        (63.925, -39.605, -63.7003, 140.6333, 19977106.7776270),
    ]

    @Test func `published distances are met to a micrometre`() {
        for (latitude1, longitude1, latitude2, longitude2, metres) in Self.known {
            for (one, other) in [
                ((latitude1, longitude1), (latitude2, longitude2)), ((latitude2, longitude2), (latitude1, longitude1)),
            ] {
                let path = Geodesic.inverse(
                    latitude1: one.0, longitude1: one.1, latitude2: other.0, longitude2: other.1)
                #expect(abs(path.distance - metres) < 1e-6, "\(one) to \(other): \(path.distance), not \(metres)")
                #expect(abs(path.sineAtEnd * path.sineAtEnd + path.cosineAtEnd * path.cosineAtEnd - 1) < 1e-9)
            }
        }
    }

    @Test func `the azimuth at the end leads on from the first point`() {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let one = (Double.random(in: -80...80, using: &generator), Double.random(in: -180...180, using: &generator))
            let other = (
                Double.random(in: -80...80, using: &generator), Double.random(in: -180...180, using: &generator)
            )
            let path = Geodesic.inverse(latitude1: one.0, longitude1: one.1, latitude2: other.0, longitude2: other.1)
            guard path.distance < 19_000_000 else { continue }
            // A small step along the azimuth lengthens the path by as much.
            let step = 1e-5
            let north = other.0 + step * path.cosineAtEnd
            let east = other.1 + step * path.sineAtEnd / cos(other.0 * .pi / 180)
            let longer = Geodesic.inverse(latitude1: one.0, longitude1: one.1, latitude2: north, longitude2: east)
            #expect((1.09...1.13).contains(longer.distance - path.distance), "seed \(seed): \(one) to \(other)")
        }
    }

    @Test func `Vincenty's formula agrees where it converges`() {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        var compared = 0
        for _ in 0..<2000 {
            let one = (Double.random(in: -90...90, using: &generator), Double.random(in: -180...180, using: &generator))
            let spread = SeededGenerator.pick([0.001, 0.5, 20, 150], &generator)
            let other = (
                min(90, max(-90, one.0 + Double.random(in: -spread...spread, using: &generator))),
                one.1 + Double.random(in: -spread...spread, using: &generator)
            )
            guard let wanted = Self.vincenty(one.0, one.1, other.0, other.1) else { continue }
            compared += 1
            let found = Geodesic.inverse(latitude1: one.0, longitude1: one.1, latitude2: other.0, longitude2: other.1)
            #expect(
                abs(found.distance - wanted) < 0.0005, "seed \(seed): \(one) to \(other): \(found.distance), \(wanted)")
        }
        #expect(compared > 1500, "seed \(seed)")
    }

    @Test func `every pair of points has a distance, and the way back is as long`() {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            let latitude = Double.random(in: -90...90, using: &generator)
            let longitude = Double.random(in: -180...180, using: &generator)
            let noise = SeededGenerator.pick([0, 1e-15, 1e-9, 1e-4, 0.3], &generator)
            // Near the antipode, where the shortest path is hard to find.
            let other = -latitude + Double.random(in: -1...1, using: &generator) * noise
            let far = longitude + 180 + Double.random(in: -1...1, using: &generator) * noise
            let bounded = min(90, max(-90, other))
            let there = Geodesic.inverse(
                latitude1: latitude, longitude1: longitude, latitude2: bounded, longitude2: far)
            let back = Geodesic.inverse(
                latitude1: bounded, longitude1: far, latitude2: latitude, longitude2: longitude)
            #expect((19_900_000...20_003_931.4587).contains(there.distance), "seed \(seed)")
            #expect(abs(there.distance - back.distance) < 1e-6, "seed \(seed)")
        }
    }

    /// Vincenty's inverse formula (Survey Review 23, 1975); nil where it does not converge well.
    static func vincenty(_ p1: Double, _ l1: Double, _ p2: Double, _ l2: Double) -> Double? {
        let (a, f) = (6_378_137.0, 1 / 298.257223563)
        let b = a * (1 - f)
        let difference = (l2 - l1) * .pi / 180
        let (u1, u2) = (atan((1 - f) * tan(p1 * .pi / 180)), atan((1 - f) * tan(p2 * .pi / 180)))
        var lambda = difference
        for _ in 0..<100 {
            let s1 = cos(u2) * sin(lambda)
            let s2 = cos(u1) * sin(u2) - sin(u1) * cos(u2) * cos(lambda)
            let sineSigma = (s1 * s1 + s2 * s2).squareRoot()
            if sineSigma == 0 { return 0 }
            let cosineSigma = sin(u1) * sin(u2) + cos(u1) * cos(u2) * cos(lambda)
            let sigma = atan2(sineSigma, cosineSigma)
            let sineAlpha = cos(u1) * cos(u2) * sin(lambda) / sineSigma
            let squared = 1 - sineAlpha * sineAlpha
            let middle = squared == 0 ? 0 : cosineSigma - 2 * sin(u1) * sin(u2) / squared
            let c = f / 16 * squared * (4 + f * (4 - 3 * squared))
            let last = lambda
            lambda =
                difference + (1 - c) * f * sineAlpha
                * (sigma + c * sineSigma * (middle + c * cosineSigma * (2 * middle * middle - 1)))
            if abs(lambda) > .pi { return nil }
            guard abs(lambda - last) < 1e-13 else { continue }
            if sigma > 2.9 { return nil }
            let k = squared * (a * a - b * b) / (b * b)
            let first = 1 + k / 16384 * (4096 + k * (-768 + k * (320 - 175 * k)))
            let second = k / 1024 * (256 + k * (-128 + k * (74 - 47 * k)))
            let inner = cosineSigma * (2 * middle * middle - 1)
            let outer = second / 6 * middle * (4 * sineSigma * sineSigma - 3) * (4 * middle * middle - 3)
            return b * first * (sigma - second * sineSigma * (middle + second / 4 * (inner - outer)))
        }
        return nil
    }
}

extension SeededGenerator {
    /// One of some numbers.
    static func pick(_ numbers: [Double], _ generator: inout SeededGenerator) -> Double {
        numbers[Int.random(in: 0..<numbers.count, using: &generator)]
    }
}
