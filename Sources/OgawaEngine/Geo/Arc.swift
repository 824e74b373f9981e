#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// Directions and great-circle arcs. A point is the unit vector of its latitude and longitude; the straight line between two points is the
// great-circle arc between their vectors, so that neither a pole nor the date line is special.

/// A direction, or any other vector in space.
typealias Vector = SIMD3<Double>

/// What lies closer than this (in radians; 0.6 mm on the ground) touches.
let touchTolerance = 1e-10

extension SIMD3<Double> {
    @inline(__always)
    func dot(_ other: Vector) -> Double { x * other.x + y * other.y + z * other.z }

    @inline(__always)
    func cross(_ other: Vector) -> Vector {
        Vector(y * other.z - z * other.y, z * other.x - x * other.z, x * other.y - y * other.x)
    }

    @inline(__always)
    var length: Double { dot(self).squareRoot() }

    @inline(__always)
    var normalized: Vector { self / length }

    /// The angle between two unit vectors, exact also where it is small.
    func angle(to other: Vector) -> Double { 2 * atan2((self - other).length, (self + other).length) }
}

/// A point of the globe.
struct GeoPoint: Hashable {
    /// Degrees, north positive.
    var latitude: Double
    /// Degrees, east positive.
    var longitude: Double
    let vector: Vector

    init(latitude: Double, longitude: Double) {
        self.latitude = latitude
        self.longitude = longitude
        let (sineLatitude, cosineLatitude) = sineAndCosine(degrees: latitude)
        let (sine, cosine) = sineAndCosine(degrees: longitude)
        vector = Vector(cosineLatitude * cosine, cosineLatitude * sine, sineLatitude)
    }

    /// The point of a direction.
    init(vector: Vector) {
        let unit = vector.normalized
        latitude = atan2(unit.z, (unit.x * unit.x + unit.y * unit.y).squareRoot()) * 180 / .pi
        longitude = unit.x == 0 && unit.y == 0 ? 0 : atan2(unit.y, unit.x) * 180 / .pi
        self.vector = unit
    }

    /// Metres along the shortest path.
    func distance(to other: GeoPoint) -> Double {
        Geodesic.inverse(
            latitude1: latitude, longitude1: longitude, latitude2: other.latitude, longitude2: other.longitude
        ).distance
    }
}

/// The great-circle arc between two points that are neither equal nor antipodal; shorter than half the globe.
struct Arc {
    let start: Vector
    let end: Vector
    /// Points to the left of the arc.
    let normal: Vector

    /// nil where the points are equal, or opposite each other so that no arc is the shortest.
    init?(_ start: Vector, _ end: Vector) {
        self.start = start
        self.end = end
        // (a + b) × (b - a) is 2 a × b, without its loss of digits for near points.
        let normal = (start + end).cross(end - start)
        let length = normal.length
        guard length > 1e-15 else { return nil }
        self.normal = normal / length
    }

    /// The sine of the distance to the left of the arc's great circle.
    @inline(__always)
    func side(of point: Vector) -> Double {
        // The nearer end is subtracted first, because the normal is exactly orthogonal to both but for rounding.
        let (fromStart, fromEnd) = (point - start, point - end)
        return fromStart.dot(fromStart) < fromEnd.dot(fromEnd) ? normal.dot(fromStart) : normal.dot(fromEnd)
    }

    /// The direction of the arc at a point on it.
    func direction(at point: Vector) -> Vector { normal.cross(point) }

    /// Whether a point's foot on the great circle lies on the arc, within the tolerance.
    @inline(__always)
    func isBeside(_ point: Vector) -> Bool {
        normal.cross(start).dot(point) >= -touchTolerance && end.cross(normal).dot(point) >= -touchTolerance
            && (start + end).dot(point) > 0
    }

    /// Whether a point lies on the arc, within the tolerance.
    @inline(__always)
    func touches(_ point: Vector) -> Bool { abs(side(of: point)) <= touchTolerance && isBeside(point) }

    /// The arc's point that is next to a point.
    func nearest(to point: Vector) -> Vector {
        let foot = point - normal * normal.dot(point)
        if foot.length > 1e-12, normal.cross(start).dot(foot) > 0, end.cross(normal).dot(foot) > 0 {
            return foot.normalized
        }
        let (fromStart, fromEnd) = (point - start, point - end)
        return fromStart.dot(fromStart) <= fromEnd.dot(fromEnd) ? start : end
    }

    /// Whether two arcs have a point in common, within the tolerance.
    func intersects(_ other: Arc) -> Bool {
        if touches(other.start) || touches(other.end) || other.touches(start) || other.touches(end) { return true }
        return crossing(other) != nil
    }

    /// The point in which two arcs cross properly.
    func crossing(_ other: Arc) -> Vector? {
        let (a, b) = (side(of: other.start), side(of: other.end))
        let (c, d) = (other.side(of: start), other.side(of: end))
        guard a * b < 0, c * d < 0 else { return nil }
        // On the other arc, where its distance from this circle is 0; antipodal crossings have the orientations the other way.
        guard (a < 0) == (d < 0) else { return nil }
        let point = other.start * abs(b) + other.end * abs(a)
        guard (start + end).dot(point) > 0 else { return nil }
        return point.normalized
    }
}
