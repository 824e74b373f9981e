import OgawaCore

/// A point, line or polygon read from GeoJSON or WKT.
///
/// **Isolation.** Immutable.
package final class Geometry: Sendable {
    enum Kind: String, Sendable {
        case point = "Point"
        case line = "LineString"
        case polygon = "Polygon"
    }

    let kind: Kind
    /// The points in order; of a polygon without the repeated last one.
    let points: [GeoPoint]
    /// The arcs between consecutive points, of a polygon with the one that closes it; none of length 0.
    let arcs: [Arc]
    /// The index for questions about the inside of a polygon.
    let area: PolygonArea?
    /// An upper bound of the angle from ``center`` to any point of the lines.
    let center: Vector
    let radius: Double

    init(_ kind: Kind, _ points: [GeoPoint]) throws(ScalarFailure) {
        var points = points
        if kind == .polygon {
            if points.count > 1, points.first?.vector == points.last?.vector { points.removeLast() }
            guard Set(points.map(\.vector)).count >= 3 else {
                throw ScalarFailure(message: "a Polygon needs at least 3 different points")
            }
        } else if kind == .line, points.count < 2 {
            throw ScalarFailure(message: "a LineString needs at least 2 points")
        }
        self.kind = kind
        self.points = points
        var arcs: [Arc] = []
        let ends = kind == .polygon ? points.dropFirst() + points.prefix(1) : points.dropFirst()
        for (from, to) in zip(points, ends) where from.vector != to.vector {
            if let arc = Arc(from.vector, to.vector) {
                arcs.append(arc)
            } else if from.vector.dot(to.vector) < 0 {
                throw ScalarFailure(
                    message: "the line from \(from.shown) to \(to.shown) joins opposite points of the globe; "
                        + "put a point between them")
            }
        }
        self.arcs = arcs
        (center, radius) = Geometry.cap(around: points.map(\.vector))
        area = kind == .polygon ? try PolygonArea(points: points, arcs: arcs, center: center, radius: radius) : nil
    }

    /// The geometry of a GeoJSON or WKT text.
    package convenience init(text: String) throws {
        var (text, reader) = (text, GeometryReader())
        let shape = try text.withUTF8 { utf8 throws(ScalarFailure) in try reader.read(utf8) }
        let read = try shape.geometry()
        try self.init(read.kind, read.points)
    }

    /// A small cap that holds every point: the center is moved towards the farthest point, less and less.
    private static func cap(around points: [Vector]) -> (center: Vector, radius: Double) {
        var sum = Vector.zero
        for point in points { sum += point }
        var center = sum.length > 1e-6 ? sum.normalized : points.first ?? Vector(1, 0, 0)
        func farthest() -> Vector {
            points.min { $0.dot(center) < $1.dot(center) } ?? center
        }
        var best = (center, farthest().angle(to: center))
        if best.1 > 0.5 {
            for step in 1...200 {
                let next = center + (farthest() - center) / Double(step + 1)
                guard next.length > 1e-9 else { break }
                center = next.normalized
                let radius = farthest().angle(to: center)
                if radius < best.1 { best = (center, radius) }
            }
        }
        return (best.0, best.1)
    }
}

extension GeoPoint {
    /// The point for messages, as GeoJSON and WKT order it.
    var shown: String { "(\(shortNumber(longitude)) \(shortNumber(latitude)))" }
}

/// The inside of a polygon without holes.
///
/// The ring lies in a cap smaller than a hemisphere. Seen from the center of the globe on the cap's tangent plane, its arcs are straight lines, so
/// that a point is inside where the plane's winding number says so; the sides of the arcs are taken from the vectors themselves.
/// A counter-clockwise ring has its inside in the cap; a clockwise one stands for the rest of the globe.
struct PolygonArea: Sendable {
    enum Place {
        case outside
        case boundary
        case inside
    }

    private struct Edge: Sendable {
        var arc: Arc
        /// Heights of the ends on the tangent plane.
        var low: Double
        var high: Double
        /// 1 where the arc goes up, -1 where it goes down, 0 where it is level.
        var sense: Int
    }

    private let edges: [Edge]
    private let center: Vector
    private let horizontal: Vector
    private let vertical: Vector
    private let cosineLimit: Double
    private let lowest: Double
    private let highest: Double
    private let leftmost: Double
    private let rightmost: Double
    /// Whether the ring is clockwise, so that the inside is the rest of the globe.
    let isRest: Bool

    init(points: [GeoPoint], arcs: [Arc], center: Vector, radius: Double) throws(ScalarFailure) {
        guard radius < 1.56 else {
            throw ScalarFailure(
                message: "the ring of the Polygon is not inside one hemisphere; split the Polygon")
        }
        self.center = center
        let axis = abs(center.z) < 0.9 ? Vector(0, 0, 1) : Vector(1, 0, 0)
        let horizontal = axis.cross(center).normalized
        let vertical = center.cross(horizontal)
        self.horizontal = horizontal
        self.vertical = vertical
        func project(_ point: Vector) -> (Double, Double) {
            let depth = point.dot(center)
            return (point.dot(horizontal) / depth, point.dot(vertical) / depth)
        }
        var doubledArea = 0.0
        var bounds = (left: Double.infinity, right: -Double.infinity, low: Double.infinity, high: -Double.infinity)
        edges = arcs.map { arc in
            let (a, b) = (project(arc.start), project(arc.end))
            doubledArea += a.0 * b.1 - b.0 * a.1
            bounds = (
                min(bounds.left, a.0), max(bounds.right, a.0), min(bounds.low, a.1), max(bounds.high, a.1)
            )
            return Edge(
                arc: arc, low: min(a.1, b.1), high: max(a.1, b.1), sense: a.1 < b.1 ? 1 : a.1 > b.1 ? -1 : 0)
        }
        isRest = doubledArea < 0
        // The plane's coordinates grow without limit towards the hemisphere's edge: so does the room left for rounding.
        let room = 2 * touchTolerance / (GeometryMath.cosine(radius) * GeometryMath.cosine(radius))
        leftmost = bounds.left - room
        rightmost = bounds.right + room
        lowest = bounds.low - room
        highest = bounds.high + room
        cosineLimit = GeometryMath.cosine(min(radius + 1e-7, 1.57))
    }

    /// Where a point lies.
    func place(of point: Vector) -> Place {
        let outer: Place = isRest ? .inside : .outside
        let depth = point.dot(center)
        if depth < cosineLimit { return outer }
        let x = point.dot(horizontal) / depth
        if x < leftmost || x > rightmost { return outer }
        let y = point.dot(vertical) / depth
        if y < lowest || y > highest { return outer }
        var winding = 0
        for edge in edges {
            let side = edge.arc.normal.dot(point)
            if abs(side) < 2 * touchTolerance, edge.arc.touches(point) { return .boundary }
            guard edge.sense != 0, y >= edge.low, y < edge.high else { continue }
            if edge.sense > 0 { winding += side > 0 ? 1 : 0 } else { winding -= side < 0 ? 1 : 0 }
        }
        return (winding != 0) == isRest ? .outside : .inside
    }
}
