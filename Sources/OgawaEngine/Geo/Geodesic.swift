import OgawaCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// The shortest path between two points of the WGS84 ellipsoid.
//
// Karney's inverse method (J. Geodesy 87, 2013): Newton's method on the azimuth at the first point, started from a spherical
// solution or, near the antipode, from the solution of an astroid, and held in a bracket so that it ends for every pair. Its error
// is some nanometres; Vincenty's older method does not end near the antipode.

/// Distances on the WGS84 ellipsoid.
package enum Geodesic {
    /// The result of ``inverse(_:_:)``.
    package struct Path {
        /// Metres.
        package var distance: Double
        /// Sine and cosine of the azimuth at the second point, going on away from the first.
        package var sineAtEnd: Double
        package var cosineAtEnd: Double
    }

    static let equatorialRadius = 6_378_137.0
    static let flattening = 1 / 298.257223563
    static let polarRadius = equatorialRadius * (1 - flattening)
    /// 1 - f, the ratio of the radii.
    static let axisRatio = 1 - flattening
    /// e², and e'² = e² / (1 - e²).
    static let eccentricitySquared = flattening * (2 - flattening)
    private static let secondEccentricitySquared = eccentricitySquared / (axisRatio * axisRatio)
    private static let thirdFlattening = flattening / (2 - flattening)
    private static let a3 = GeodesicSeries.a3Coefficients(thirdFlattening)
    private static let c3 = GeodesicSeries.c3Coefficients(thirdFlattening)

    private static let tiny = Double.leastNormalMagnitude.squareRoot()
    private static let tolerance = Double.ulpOfOne
    private static let rootTolerance = tolerance.squareRoot()
    private static let startTolerance = 0.1 * rootTolerance / (flattening * (1 - flattening / 2) / 2).squareRoot()

    /// A point on the auxiliary sphere: the reduced latitude and what depends on it.
    private struct Reduced {
        var sine: Double
        var cosine: Double
        /// The root of 1 + e'² sin².
        var stretch = 1.0

        init(latitude: Double) {
            let (sine, cosine) = sineAndCosine(degrees: latitude)
            let length = hypot(sine * axisRatio, cosine)
            self.sine = sine * axisRatio / length
            self.cosine = max(tiny, cosine / length)
        }
    }

    /// An azimuth by sine and cosine.
    private struct Azimuth {
        var sine: Double
        var cosine: Double

        mutating func normalize() {
            let length = hypot(sine, cosine)
            sine /= length
            cosine /= length
        }
    }

    /// The shortest path from one point to another, coordinates in degrees.
    package static func inverse(
        latitude1: Double, longitude1: Double, latitude2: Double, longitude2: Double
    ) -> Path {
        var longitude = (longitude2 - longitude1).remainder(dividingBy: 360)
        let eastward: Double = longitude >= 0 ? 1 : -1
        longitude = abs(longitude)
        let (sineLambda, cosineLambda) = sineAndCosine(degrees: longitude)
        var (first, second) = (latitude1, latitude2)
        let swap: Double = abs(first) < abs(second) ? -1 : 1
        if swap < 0 { (first, second) = (second, first) }
        let side: Double = first.sign == .minus ? 1 : -1
        first *= side
        second *= side
        // Now the first point lies in the south at least as far from the equator as the second, which lies to the east.
        var from = Reduced(latitude: first)
        var to = Reduced(latitude: second)
        if from.cosine < -from.sine {
            if to.cosine == from.cosine { to.sine = copysign(from.sine, to.sine) }
        } else if abs(to.sine) == -from.sine {
            to.cosine = from.cosine
        }
        from.stretch = (1 + secondEccentricitySquared * from.sine * from.sine).squareRoot()
        to.stretch = (1 + secondEccentricitySquared * to.sine * to.sine).squareRoot()
        let lambda = longitude * .pi / 180
        let solved =
            meridian(from, to, first, sineLambda, cosineLambda)
            ?? equator(from, longitude, lambda) ?? general(from, to, lambda, sineLambda, cosineLambda)
        // The azimuth at the end of the path as asked: of the swapped problem it is the one at the beginning, reversed twice.
        let end = swap < 0 ? solved.start : solved.end
        return Path(
            distance: 0 + solved.distance, sineAtEnd: end.sine * eastward,
            cosineAtEnd: end.cosine * swap * side)
    }

    private struct Solution {
        var distance: Double
        var start: Azimuth
        var end: Azimuth
    }

    /// The path along a meridian, where it is the shortest.
    private static func meridian(
        _ from: Reduced, _ to: Reduced, _ latitude: Double, _ sineLambda: Double, _ cosineLambda: Double
    ) -> Solution? {
        guard latitude == -90 || sineLambda == 0 else { return nil }
        let start = Azimuth(sine: sineLambda, cosine: cosineLambda)
        let (cosine1, cosine2) = (start.cosine * from.cosine, to.cosine)
        let arc = atan2(
            max(0, cosine1 * to.sine - from.sine * cosine2) + 0, cosine1 * cosine2 + from.sine * to.sine)
        let lengths = lengths(
            thirdFlattening, arc, (from.sine, cosine1, from.stretch), (to.sine, cosine2, to.stretch))
        // Beyond the conjugate point a path beside the meridian is shorter.
        guard arc < 1 || lengths.reduced >= 0 else { return nil }
        let distance = arc < 3 * tiny ? 0 : lengths.distance * polarRadius
        return Solution(distance: distance, start: start, end: Azimuth(sine: 0, cosine: 1))
    }

    /// The path along the equator, where it is the shortest.
    private static func equator(_ from: Reduced, _ longitude: Double, _ lambda: Double) -> Solution? {
        guard from.sine == 0, longitude <= 180 - flattening * 180 else { return nil }
        let east = Azimuth(sine: 1, cosine: 0)
        return Solution(distance: equatorialRadius * lambda, start: east, end: east)
    }

    private static func general(
        _ from: Reduced, _ to: Reduced, _ lambda: Double, _ sineLambda: Double, _ cosineLambda: Double
    ) -> Solution {
        var guess = start(from, to, lambda, sineLambda, cosineLambda)
        if let short = guess.short { return short }
        var low = Azimuth(sine: tiny, cosine: 1)
        var high = Azimuth(sine: tiny, cosine: -1)
        var azimuth = guess.azimuth
        var isNear = false
        var isNarrow = false
        for step in 0..<83 {
            guess.last = longitude(from, to, azimuth, sineLambda, cosineLambda)
            let error = guess.last.error
            if isNarrow || !(abs(error) >= (isNear ? 8 : 1) * tolerance) { break }
            if error > 0, step > 20 || azimuth.cosine / azimuth.sine > high.cosine / high.sine {
                high = azimuth
            } else if error < 0, step > 20 || azimuth.cosine / azimuth.sine < low.cosine / low.sine {
                low = azimuth
            }
            if step < 20, guess.last.slope > 0 {
                let change = -error / guess.last.slope
                let (sine, cosine) = (sin(change), cos(change))
                let next = azimuth.sine * cosine + azimuth.cosine * sine
                if next > 0, abs(change) < .pi {
                    azimuth = Azimuth(sine: next, cosine: azimuth.cosine * cosine - azimuth.sine * sine)
                    azimuth.normalize()
                    isNear = abs(error) <= 16 * tolerance
                    continue
                }
            }
            azimuth = Azimuth(sine: (low.sine + high.sine) / 2, cosine: (low.cosine + high.cosine) / 2)
            azimuth.normalize()
            isNear = false
            isNarrow =
                abs(low.sine - azimuth.sine) + (low.cosine - azimuth.cosine) < tolerance
                || abs(azimuth.sine - high.sine) + (azimuth.cosine - high.cosine) < tolerance
        }
        let last = guess.last
        let lengths = lengths(last.eps, last.arc, last.first, last.second)
        return Solution(distance: lengths.distance * polarRadius, start: azimuth, end: last.end)
    }

    private struct Guess {
        var azimuth = Azimuth(sine: 1, cosine: 0)
        /// The result, where the points are so close that the guess is exact.
        var short: Solution?
        var last = Crossing()
    }

    /// A first azimuth.
    private static func start(
        _ from: Reduced, _ to: Reduced, _ lambda: Double, _ sineLambda: Double, _ cosineLambda: Double
    ) -> Guess {
        var guess = Guess()
        let difference = to.sine * from.cosine - to.cosine * from.sine
        let sum = to.sine * from.cosine + to.cosine * from.sine
        let isShort =
            to.cosine * from.cosine + to.sine * from.sine >= 0 && difference < 0.5 && to.cosine * lambda < 0.5
        var (sine, cosine) = (sineLambda, cosineLambda)
        var stretch = 1.0
        if isShort {
            let sines = (from.sine + to.sine) * (from.sine + to.sine)
            let cosines = (from.cosine + to.cosine) * (from.cosine + to.cosine)
            stretch = (1 + secondEccentricitySquared * sines / (sines + cosines)).squareRoot()
            let omega = lambda / (axisRatio * stretch)
            (sine, cosine) = (sin(omega), cos(omega))
        }
        func azimuth() -> Azimuth {
            let product = to.cosine * from.sine * sine * sine
            return Azimuth(
                sine: to.cosine * sine,
                cosine: cosine >= 0 ? difference + product / (1 + cosine) : sum - product / (1 - cosine))
        }
        guess.azimuth = azimuth()
        let arcSine = hypot(guess.azimuth.sine, guess.azimuth.cosine)
        let arcCosine = from.sine * to.sine + from.cosine * to.cosine * cosine
        if isShort, arcSine < startTolerance {
            var end = Azimuth(
                sine: from.cosine * sine,
                cosine: difference - from.cosine * to.sine
                    * (cosine >= 0 ? sine * sine / (1 + cosine) : 1 - cosine))
            if arcSine == 0 { end = Azimuth(sine: 0, cosine: 1) }
            end.normalize()
            let distance = atan2(arcSine, arcCosine) * polarRadius * stretch
            if arcSine > 0 { guess.azimuth.normalize() }
            guess.short = Solution(distance: distance, start: guess.azimuth, end: end)
            return guess
        }
        if arcCosine < 0, arcSine < 6 * thirdFlattening * .pi * from.cosine * from.cosine {
            guess.azimuth = antipodal(from, to, sum, sineLambda, cosineLambda)
        }
        if guess.azimuth.sine > 0 {
            guess.azimuth.normalize()
        } else {
            guess.azimuth = Azimuth(sine: 1, cosine: 0)
        }
        return guess
    }

    /// A first azimuth near the antipode.
    private static func antipodal(
        _ from: Reduced, _ to: Reduced, _ sum: Double, _ sineLambda: Double, _ cosineLambda: Double
    ) -> Azimuth {
        let k2 = from.sine * from.sine * secondEccentricitySquared
        let eps = k2 / (2 * (1 + (1 + k2).squareRoot()) + k2)
        let scale = flattening * from.cosine * a3Value(eps) * .pi
        let x = atan2(-sineLambda, -cosineLambda) / scale
        let y = sum / (scale * from.cosine)
        if y > -200 * tolerance, x > -1 - 1000 * rootTolerance {
            let sine = min(1, -x)
            return Azimuth(sine: sine, cosine: -(1 - sine * sine).squareRoot())
        }
        let k = astroid(x, y)
        let omega = scale * -x * k / (1 + k)
        let (sine, cosine) = (sin(omega), -cos(omega))
        return Azimuth(
            sine: to.cosine * sine, cosine: sum - to.cosine * from.sine * sine * sine / (1 - cosine))
    }

    /// The positive root of k⁴ + 2k³ - (x² + y² - 1)k² - 2y²k - y² = 0.
    private static func astroid(_ x: Double, _ y: Double) -> Double {
        let (p, q) = (x * x, y * y)
        let r = (p + q - 1) / 6
        if q == 0, r <= 0 { return 0 }
        let s = p * q / 4
        let (r2, r3) = (r * r, r * r * r)
        let discriminant = s * (s + 2 * r3)
        var u = r
        if discriminant >= 0 {
            var cube = s + r3
            cube += cube < 0 ? -discriminant.squareRoot() : discriminant.squareRoot()
            let root = cbrt(cube)
            u += root + (root != 0 ? r2 / root : 0)
        } else {
            u += 2 * r * cos(atan2((-discriminant).squareRoot(), -(s + r3)) / 3)
        }
        let v = (u * u + q).squareRoot()
        let uv = u < 0 ? q / (v - u) : u + v
        let w = (uv - q) / (2 * v)
        return uv / ((uv + w * w).squareRoot() + w)
    }

    /// Sine and cosine of the arc from the equator crossing to a point, and the point's stretch.
    private typealias ArcPoint = (sine: Double, cosine: Double, stretch: Double)

    /// Where the geodesic of a start azimuth crosses the second point's latitude.
    private struct Crossing {
        var error = 0.0
        var slope = 0.0
        var arc = 0.0
        var eps = 0.0
        var first: ArcPoint = (0, 1, 1)
        var second: ArcPoint = (0, 1, 1)
        var end = Azimuth(sine: 0, cosine: 1)
    }

    /// How far from the wanted longitude the geodesic with this azimuth meets the second latitude.
    private static func longitude(
        _ from: Reduced, _ to: Reduced, _ azimuth: Azimuth, _ sineLambda: Double, _ cosineLambda: Double
    ) -> Crossing {
        var start = azimuth
        // Avoids the singular case of a path along the equator.
        if from.sine == 0, start.cosine == 0 { start.cosine = -tiny }
        let sine0 = start.sine * from.cosine
        let cosine0 = hypot(start.cosine, start.sine * from.sine)
        var result = Crossing()
        let c1 = start.cosine * from.cosine
        let length1 = hypot(from.sine, c1)
        result.first = (from.sine / length1, c1 / length1, from.stretch)
        let isOtherLatitude = to.cosine != from.cosine
        result.end.sine = isOtherLatitude ? sine0 / to.cosine : start.sine
        if isOtherLatitude || abs(to.sine) != -from.sine {
            let part =
                from.cosine < -from.sine
                ? (to.cosine - from.cosine) * (from.cosine + to.cosine) : (from.sine - to.sine) * (from.sine + to.sine)
            result.end.cosine = max(0, c1 * c1 + part).squareRoot() / to.cosine
        } else {
            result.end.cosine = abs(start.cosine)
        }
        let c2 = result.end.cosine * to.cosine
        let length2 = hypot(to.sine, c2)
        result.second = (to.sine / length2, c2 / length2, to.stretch)
        let (first, second) = (result.first, result.second)
        result.arc = atan2(
            max(0, first.cosine * second.sine - first.sine * second.cosine) + 0,
            first.cosine * second.cosine + first.sine * second.sine)
        let (o1, o2) = (sine0 * from.sine, sine0 * to.sine)
        let sineOmega = max(0, c1 * o2 - o1 * c2) + 0
        let cosineOmega = c1 * c2 + o1 * o2
        let eta = atan2(
            sineOmega * cosineLambda - cosineOmega * sineLambda,
            cosineOmega * cosineLambda + sineOmega * sineLambda)
        let k2 = cosine0 * cosine0 * secondEccentricitySquared
        result.eps = k2 / (2 * (1 + (1 + k2).squareRoot()) + k2)
        let c3 = c3Value(result.eps)
        let periodic =
            GeodesicSeries.sineSum(second.sine, second.cosine, c3)
            - GeodesicSeries.sineSum(first.sine, first.cosine, c3)
        result.error = eta - flattening * a3Value(result.eps) * sine0 * (result.arc + periodic)
        if result.end.cosine == 0 {
            result.slope = -2 * axisRatio * from.stretch / from.sine
        } else {
            let lengths = lengths(result.eps, result.arc, first, second)
            result.slope = lengths.reduced * axisRatio / (result.end.cosine * to.cosine)
        }
        return result
    }

    private static func a3Value(_ eps: Double) -> Double {
        ((((a3.5 * eps + a3.4) * eps + a3.3) * eps + a3.2) * eps + a3.1) * eps + a3.0
    }

    private static func c3Value(_ eps: Double) -> SineCoefficients {
        func value(_ row: Int, _ power: Double) -> Double {
            var sum = 0.0
            for coefficient in c3[row].reversed() { sum = sum * eps + coefficient }
            return sum * power
        }
        let square = eps * eps
        return (
            value(0, eps), value(1, square), value(2, square * eps), value(3, square * square),
            value(4, square * square * eps), 0
        )
    }

    /// Distance and reduced length along a geodesic, in units of the polar radius.
    private static func lengths(
        _ eps: Double, _ arc: Double, _ first: ArcPoint, _ second: ArcPoint
    ) -> (distance: Double, reduced: Double) {
        let (a1, a2) = (GeodesicSeries.a1(eps), GeodesicSeries.a2(eps))
        let (c1, c2) = (GeodesicSeries.c1(eps), GeodesicSeries.c2(eps))
        let b1 =
            GeodesicSeries.sineSum(second.sine, second.cosine, c1)
            - GeodesicSeries.sineSum(first.sine, first.cosine, c1)
        let b2 =
            GeodesicSeries.sineSum(second.sine, second.cosine, c2)
            - GeodesicSeries.sineSum(first.sine, first.cosine, c2)
        let j = (a1 - a2) * arc + ((1 + a1) * b1 - (1 + a2) * b2)
        let reduced =
            second.stretch * (first.cosine * second.sine) - first.stretch * (first.sine * second.cosine)
            - first.cosine * second.cosine * j
        return ((1 + a1) * (arc + b1), reduced)
    }
}

/// Sine and cosine of an angle in degrees, exact at multiples of 90.
func sineAndCosine(degrees: Double) -> (sine: Double, cosine: Double) {
    let rest = degrees.remainder(dividingBy: 90)
    let quarter = Int(((degrees - rest) / 90).rounded()) & 3
    let angle = rest * .pi / 180
    let (sine, cosine) = (sin(angle), cos(angle))
    switch quarter {
    case 0: return (sine, cosine)
    case 1: return (cosine, -sine)
    case 2: return (-sine, -cosine)
    default: return (-cosine, sine)
    }
}
