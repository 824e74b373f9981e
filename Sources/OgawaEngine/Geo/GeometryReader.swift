import OgawaCore

/// What a GeoJSON record or WKT text stands for; a point without an object of its own, because most are read once only.
enum Shape {
    case point(GeoPoint)
    case lines(Geometry)

    /// The geometry; of a point a new one.
    func geometry() throws(ScalarFailure) -> Geometry {
        switch self {
        case .point(let point): try Geometry(.point, [point])
        case .lines(let geometry): geometry
        }
    }

    var kind: Geometry.Kind {
        switch self {
        case .point: .point
        case .lines(let geometry): geometry.kind
        }
    }
}

/// Reads geometries from GeoJSON and WKT.
///
/// **Complexity and allocation.** No allocation for a point, except where a number has more than 19 digits.
/// **Isolation.** Owned by one node.
struct GeometryReader {
    private var points: [GeoPoint] = []

    /// Reads a text: GeoJSON where it begins with `{`, else WKT.
    mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(ScalarFailure) -> Shape {
        points.removeAll(keepingCapacity: true)
        var scanner = ByteScanner(bytes)
        scanner.skipBlanks()
        let kind =
            scanner.current == UInt8(ascii: "{") ? try readJSON(&scanner) : try readWKT(&scanner)
        if kind == .point, let point = points.first { return .point(point) }
        return .lines(try Geometry(kind, points))
    }

    // MARK: GeoJSON

    private mutating func readJSON(_ scanner: inout ByteScanner) throws(ScalarFailure) -> Geometry.Kind {
        var type: (start: Int, end: Int)?
        var coordinates: Int?
        scanner.position += 1
        scanner.skipBlanks()
        while scanner.current == UInt8(ascii: "\"") {
            let key = try scanner.string()
            guard scanner.eat(":") else { throw scanner.failure("GeoJSON", "':'") }
            scanner.skipBlanks()
            if scanner.matches(key, "type"), scanner.current == UInt8(ascii: "\"") {
                type = try scanner.string()
            } else {
                if scanner.matches(key, "coordinates") { coordinates = scanner.position }
                try scanner.skipValue()
            }
            guard scanner.eat(",") else { break }
            scanner.skipBlanks()
        }
        guard let type else { throw ScalarFailure(message: "the record has no \"type\" and so is not GeoJSON") }
        guard
            let kind = [.point, .line, .polygon].first(where: { scanner.matches(type, $0.rawValue) }) as Geometry.Kind?
        else {
            throw ScalarFailure(
                message: "a GeoJSON \(scanner.text(type)) cannot be used here; "
                    + "geometries are Point, LineString and Polygon")
        }
        guard let coordinates else {
            throw ScalarFailure(message: "the GeoJSON \(kind.rawValue) has no \"coordinates\"")
        }
        scanner.position = coordinates
        try readCoordinates(of: kind, &scanner)
        return kind
    }

    private mutating func readCoordinates(
        of kind: Geometry.Kind, _ scanner: inout ByteScanner
    ) throws(ScalarFailure) {
        switch kind {
        case .point: try readPosition(&scanner)
        case .line: try readPositions(&scanner)
        case .polygon:
            guard scanner.eat("[") else { throw scanner.failure("GeoJSON", "'['") }
            // A ring on its own, without the list of rings around it, is what the reference's examples show.
            let start = scanner.position
            let isList = scanner.eat("[") && scanner.eat("[")
            scanner.position = start
            guard isList else {
                scanner.position -= 1
                while scanner.current != UInt8(ascii: "[") { scanner.position -= 1 }
                return try readPositions(&scanner)
            }
            try readPositions(&scanner)
            if scanner.eat(",") { throw GeometryReader.hole }
            guard scanner.eat("]") else { throw scanner.failure("GeoJSON", "']'") }
        }
    }

    private static let hole = ScalarFailure(message: "a Polygon with holes cannot be used; only one ring is read")

    private mutating func readPositions(_ scanner: inout ByteScanner) throws(ScalarFailure) {
        guard scanner.eat("[") else { throw scanner.failure("GeoJSON", "'['") }
        repeat { try readPosition(&scanner) } while scanner.eat(",")
        guard scanner.eat("]") else { throw scanner.failure("GeoJSON", "']'") }
    }

    /// Reads `[longitude, latitude]`; an altitude is passed over.
    private mutating func readPosition(_ scanner: inout ByteScanner) throws(ScalarFailure) {
        guard scanner.eat("["), let longitude = scanner.number(), scanner.eat(","), let latitude = scanner.number()
        else { throw scanner.failure("GeoJSON", "a position [longitude, latitude]") }
        while scanner.eat(",") {
            guard scanner.number() != nil else { throw scanner.failure("GeoJSON", "a number") }
        }
        guard scanner.eat("]") else { throw scanner.failure("GeoJSON", "']'") }
        points.append(try GeometryReader.point(latitude: latitude, longitude: longitude))
    }

    /// A point whose coordinates are checked.
    static func point(latitude: Double, longitude: Double) throws(ScalarFailure) -> GeoPoint {
        guard abs(latitude) <= 90 else {
            let hint = abs(longitude) <= 90 ? "; are latitude and longitude swapped?" : ""
            throw ScalarFailure(
                message: "the latitude must lie between -90 and 90, found \(shortNumber(latitude))\(hint)")
        }
        guard abs(longitude) <= 360 else {
            throw ScalarFailure(
                message: "the longitude must lie between -360 and 360, found \(shortNumber(longitude))")
        }
        return GeoPoint(latitude: latitude, longitude: longitude)
    }

    // MARK: WKT

    private mutating func readWKT(_ scanner: inout ByteScanner) throws(ScalarFailure) -> Geometry.Kind {
        var word = scanner.word()
        if scanner.matches(word, "SRID", ignoringCase: true), scanner.eat("=") {
            guard scanner.number() == 4326, scanner.eat(";") else {
                throw ScalarFailure(message: "WKT text with an SRID other than 4326 (WGS84) cannot be used")
            }
            scanner.skipBlanks()
            word = scanner.word()
        }
        let names: [(String, Geometry.Kind)] = [("POINT", .point), ("LINESTRING", .line), ("POLYGON", .polygon)]
        guard let kind = names.first(where: { scanner.matches(word, $0.0, ignoringCase: true) })?.1 else {
            let found = word.start == word.end ? "the text" : "'\(scanner.text(word))'"
            throw ScalarFailure(
                message: "\(found) is neither GeoJSON nor WKT; WKT begins with POINT, LINESTRING or POLYGON")
        }
        scanner.skipBlanks()
        let dimension = scanner.word()
        if dimension.start != dimension.end,
            !["Z", "M", "ZM"].contains(where: { scanner.matches(dimension, $0, ignoringCase: true) })
        {
            throw ScalarFailure(message: "a WKT \(kind.rawValue) '\(scanner.text(dimension))' has no place")
        }
        guard scanner.eat("(") else { throw scanner.failure("WKT", "'('") }
        if kind == .polygon, !scanner.eat("(") { throw scanner.failure("WKT", "'(('") }
        repeat { try readOrdinates(&scanner) } while kind != .point && scanner.eat(",")
        guard scanner.eat(")") else { throw scanner.failure("WKT", "')'") }
        if kind == .polygon {
            if scanner.eat(",") { throw GeometryReader.hole }
            guard scanner.eat(")") else { throw scanner.failure("WKT", "'))'") }
        }
        scanner.skipBlanks()
        guard scanner.isAtEnd else { throw scanner.failure("WKT", "the end of the text") }
        return kind
    }

    /// Reads `longitude latitude`; up to two more numbers are passed over.
    private mutating func readOrdinates(_ scanner: inout ByteScanner) throws(ScalarFailure) {
        guard let longitude = scanner.number(), let latitude = scanner.number() else {
            throw scanner.failure("WKT", "a longitude and a latitude")
        }
        for _ in 0..<2 where scanner.number() == nil { break }
        points.append(try GeometryReader.point(latitude: latitude, longitude: longitude))
    }
}
