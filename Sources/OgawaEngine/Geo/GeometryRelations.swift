#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// How geometries lie to each other. Polygons are compared by their boundaries: each arc is cut where the other boundary meets it, and the
// middle of every piece tells on which side the piece runs.

extension Geometry {
    /// Whether no point of this geometry's lines is near the other's, by their caps.
    private func isFar(from other: Geometry) -> Bool {
        radius < 1.5 && other.radius < 1.5 && center.angle(to: other.center) > radius + other.radius + 1e-7
    }

    // MARK: Pieces

    /// One piece of a boundary between two cuts.
    private struct Piece {
        var middle: Vector
        var arc: Arc
    }

    /// The arcs cut where the other geometry's arcs or points meet them.
    private func pieces(cutBy other: Geometry) -> [Piece] {
        var found: [Piece] = []
        let isFar = isFar(from: other)
        for arc in arcs {
            var cuts: [Vector] = []
            if !isFar {
                for edge in other.arcs {
                    for end in [edge.start, edge.end] where arc.touches(end) { cuts.append(end) }
                    if let point = arc.crossing(edge) { cuts.append(point) }
                }
            }
            let along = arc.direction(at: arc.start)
            let ordered =
                ([arc.start, arc.end] + cuts)
                .map { (point: $0, angle: atan2(along.dot($0), arc.start.dot($0))) }
                .sorted { $0.angle < $1.angle }
            for (one, next) in zip(ordered, ordered.dropFirst()) where next.angle - one.angle > 4 * touchTolerance {
                found.append(Piece(middle: (one.point + next.point).normalized, arc: arc))
            }
        }
        return found
    }

    /// Whether the arc of this boundary at a point runs the same way as another arc there.
    private func runsWith(_ arc: Arc, at point: Vector) -> Bool {
        for edge in arcs where edge.touches(point) {
            if edge.direction(at: point).dot(arc.direction(at: point)) > 0 { return true }
        }
        return false
    }

    // MARK: Within

    /// Whether this geometry lies in a polygon, and not only on its boundary.
    package func isWithin(_ polygon: Geometry) -> Bool {
        guard let area = polygon.area else { return false }
        switch kind {
        case .point: return area.place(of: points[0].vector) == .inside
        case .line: return isLineWithin(polygon, area)
        case .polygon: return isPolygonWithin(polygon, area)
        }
    }

    private func isLineWithin(_ polygon: Geometry, _ area: PolygonArea) -> Bool {
        if arcs.isEmpty { return area.place(of: points[0].vector) == .inside }
        var isInside = false
        for piece in pieces(cutBy: polygon) {
            switch area.place(of: piece.middle) {
            case .outside: return false
            case .inside: isInside = true
            case .boundary: continue
            }
        }
        return isInside
    }

    private func isPolygonWithin(_ polygon: Geometry, _ area: PolygonArea) -> Bool {
        guard let own = self.area else { return false }
        if !own.isRest, !area.isRest, isFar(from: polygon) { return false }
        for piece in pieces(cutBy: polygon) {
            switch area.place(of: piece.middle) {
            case .outside: return false
            case .inside: continue
            case .boundary:
                // Along a common boundary the insides lie on the same side where both run the same way.
                if !polygon.runsWith(piece.arc, at: piece.middle) { return false }
            }
        }
        // The other boundary inside this polygon: this one is the larger.
        return !polygon.pieces(cutBy: self).contains { own.place(of: $0.middle) == .inside }
    }

    // MARK: Overlap and intersection

    /// Whether two polygons have area in common and neither lies within the other.
    package func overlaps(_ other: Geometry) -> Bool {
        guard let area, let otherArea = other.area else { return false }
        if !area.isRest, !otherArea.isRest, isFar(from: other) { return false }
        guard sharesArea(other, area, otherArea) else { return false }
        return !isWithin(other) && !other.isWithin(self)
    }

    private func sharesArea(_ other: Geometry, _ area: PolygonArea, _ otherArea: PolygonArea) -> Bool {
        for piece in pieces(cutBy: other) {
            switch otherArea.place(of: piece.middle) {
            case .inside: return true
            case .outside: continue
            case .boundary: if other.runsWith(piece.arc, at: piece.middle) { return true }
            }
        }
        return other.pieces(cutBy: self).contains { area.place(of: $0.middle) == .inside }
    }

    /// Whether two geometries have a point in common.
    package func intersects(_ other: Geometry) -> Bool {
        let covers = area?.isRest == true || other.area?.isRest == true
        if !covers, isFar(from: other) { return false }
        if let area, area.place(of: other.points[0].vector) != .outside { return true }
        if let area = other.area, area.place(of: points[0].vector) != .outside { return true }
        if arcs.isEmpty, other.arcs.isEmpty {
            return points[0].vector.angle(to: other.points[0].vector) <= touchTolerance
        }
        if other.arcs.isEmpty { return arcs.contains { $0.touches(other.points[0].vector) } }
        if arcs.isEmpty { return other.arcs.contains { $0.touches(points[0].vector) } }
        return arcs.contains { arc in other.arcs.contains { arc.intersects($0) } }
    }

    // MARK: Distance

    /// Metres between the nearest points; 0 where the geometries have a point in common.
    package func distance(to other: Geometry) -> Double {
        if arcs.isEmpty, other.arcs.isEmpty { return points[0].distance(to: other.points[0]) }
        if intersects(other) { return 0 }
        var best = Double.infinity
        if other.arcs.isEmpty {
            nearest(to: other.points[0], best: &best)
        } else if arcs.isEmpty {
            other.nearest(to: points[0], best: &best)
        } else {
            // Arcs that do not meet are nearest to each other at an end of one of them.
            for point in points { other.nearest(to: point, best: &best) }
            for point in other.points { nearest(to: point, best: &best) }
        }
        return best
    }

    /// Lowers `best` to the distance from a point to the nearest arc.
    private func nearest(to point: GeoPoint, best: inout Double) {
        for arc in arcs {
            let near = arc.nearest(to: point.vector)
            // A radian is nowhere shorter than the smallest radius of curvature.
            let smallest = Geodesic.polarRadius * Geodesic.axisRatio
            if near.angle(to: point.vector) * smallest > best { continue }
            best = min(best, point.distance(to: arc, from: near))
        }
    }
}

extension GeoPoint {
    /// Metres to the nearest point of an arc.
    ///
    /// - Parameter near: the nearest point on the sphere; the ellipsoid's lies close by, where the shortest path meets the arc at a right
    ///   angle. Each step goes to the foot of that path on a sphere, so that the error shrinks by the flattening.
    func distance(to arc: Arc, from near: Vector) -> Double {
        let along = arc.direction(at: arc.start)
        let span = atan2(along.dot(arc.end), arc.start.dot(arc.end))
        var angle = min(max(0, atan2(along.dot(near), arc.start.dot(near))), span)
        var best = Double.infinity
        for _ in 0..<12 {
            let foot = arc.start * cos(angle) + along * sin(angle)
            let place = GeoPoint(vector: foot)
            let path = Geodesic.inverse(
                latitude1: latitude, longitude1: longitude, latitude2: place.latitude, longitude2: place.longitude)
            best = min(best, path.distance)
            if path.distance < 1e-5 { break }
            let direction = arc.direction(at: foot)
            let east = Vector(-foot.y, foot.x, 0)
            let width = east.length
            // Straight at a pole every direction is north or south; the ends of an arc suffice there.
            guard width > 1e-12 else { break }
            let unitEast = east / width
            let north = foot.cross(unitEast)
            // On the ellipsoid a step covers the radius of curvature of its direction.
            let w = 1 - Geodesic.eccentricitySquared * foot.z * foot.z
            let across = Geodesic.equatorialRadius / w.squareRoot()
            let meridian = across * (1 - Geodesic.eccentricitySquared) / w
            let (e, n) = (direction.dot(unitEast) * across, direction.dot(north) * meridian)
            let length = hypot(e, n)
            let cosine = (e * path.sineAtEnd + n * path.cosineAtEnd) / length
            let step = atan2(cosine * sin(path.distance / length), cos(path.distance / length))
            let next = min(max(0, angle - step), span)
            if abs(next - angle) < 1e-13 { break }
            angle = next
        }
        return best
    }
}
