import OgawaCore

/// A geospatial function, row by row.
final class GeoNode: ExpressionNode {
    private enum Function: String {
        case createPoint = "CREATEPOINT"
        case createLineString = "CREATELINESTRING"
        case createPolygon = "CREATEPOLYGON"
        case distance = "ST_DISTANCE"
        case within = "ST_WITHIN"
        case overlaps = "ST_OVERLAPS"
        case intersects = "ST_INTERSECTS"
    }

    private let function: Function
    private let name: String
    private let arguments: [ExpressionNode]
    private let caches: [GeometryCache]
    private let result: Column
    private var text: [UInt8] = []

    /// nil where the name is not of a geospatial function.
    init?(_ name: String, _ arguments: [ExpressionNode], heap: TextHeap, range: SourceRange) {
        guard let function = Function(rawValue: name.uppercased()) else { return nil }
        self.function = function
        self.name = name.uppercased()
        self.arguments = arguments
        caches = arguments.map { _ in GeometryCache() }
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let operands = arguments.map { $0.evaluate(batch, context, active: active) }
        for cache in caches { cache.begin() }
        result.finish(count: 0, tagSet: [])
        result.reserve(batch.count)
        for row in 0..<batch.count {
            guard isActive(active, row) else {
                result.append(.null, 0)
                continue
            }
            do {
                try append(operands, row)
            } catch {
                result.append(.null, 0)
                context.fail(row: row, "\(name): \(error.message)", range)
            }
        }
        return Operand(column: result, isConstant: false)
    }

    private func append(_ operands: [Operand], _ row: Int) throws(ScalarFailure) {
        switch function {
        case .createPoint: try createPoint(operands, row)
        case .createLineString, .createPolygon: try createLines(operands, row)
        case .distance, .within, .overlaps, .intersects:
            guard let first = try caches[0].shape(operands[0], row, 1),
                let second = try caches[1].shape(operands[1], row, 2)
            else { return result.append(.null, 0) }
            if function == .distance {
                result.append(.float, try GeoNode.distance(first, second).bitPattern)
            } else {
                result.append(.bigint, try holds(first, second) ? 1 : 0)
            }
        }
    }

    // MARK: Questions

    private static func distance(_ first: Shape, _ second: Shape) throws(ScalarFailure) -> Double {
        if case .point(let one) = first, case .point(let other) = second { return one.distance(to: other) }
        // The reference has no distance to polygons.
        if first.kind == .polygon || second.kind == .polygon { return 0 }
        return try first.geometry().distance(to: second.geometry())
    }

    private func holds(_ first: Shape, _ second: Shape) throws(ScalarFailure) -> Bool {
        switch function {
        case .within:
            guard case .lines(let polygon) = second, let area = polygon.area else {
                throw ScalarFailure(message: "argument 2 must be a Polygon, found a \(second.kind.rawValue)")
            }
            if case .point(let point) = first { return area.place(of: point.vector) == .inside }
            return try first.geometry().isWithin(polygon)
        case .overlaps:
            for (index, shape) in [first, second].enumerated() where shape.kind != .polygon {
                throw ScalarFailure(
                    message: "argument \(index + 1) must be a Polygon, found a \(shape.kind.rawValue)")
            }
            return try first.geometry().overlaps(second.geometry())
        default: return try first.geometry().intersects(second.geometry())
        }
    }

    // MARK: Constructors

    private func createPoint(_ operands: [Operand], _ row: Int) throws(ScalarFailure) {
        guard let latitude = try coordinate(operands[0], row, "latitude"),
            let longitude = try coordinate(operands[1], row, "longitude")
        else { return result.append(.null, 0) }
        let point = try GeometryReader.point(latitude: latitude, longitude: longitude)
        begin(.point)
        put(point)
        finish()
    }

    private func coordinate(_ operand: Operand, _ row: Int, _ what: String) throws(ScalarFailure) -> Double? {
        if operand.tag(row) == .null { return nil }
        if [.bigint, .float, .text].contains(operand.tag(row)), let number = operand.number(row) { return number }
        throw ScalarFailure(
            message: "the \(what) must be a number, found "
                + operand.column.value(at: operand.index(row)).described)
    }

    private func createLines(_ operands: [Operand], _ row: Int) throws(ScalarFailure) {
        var points: [GeoPoint] = []
        for (index, operand) in operands.enumerated() {
            guard let shape = try caches[index].shape(operand, row, index + 1) else {
                return result.append(.null, 0)
            }
            guard case .point(let point) = shape else {
                throw ScalarFailure(message: "argument \(index + 1) must be a Point, found a \(shape.kind.rawValue)")
            }
            points.append(point)
        }
        let isPolygon = function == .createPolygon
        if isPolygon, let first = points.first, let last = points.last {
            guard first.latitude == last.latitude, first.longitude == last.longitude else {
                throw ScalarFailure(
                    message: "the last point \(last.shown) must repeat the first \(first.shown) to close the Polygon")
            }
        }
        begin(isPolygon ? .polygon : .line)
        text += isPolygon ? [UInt8(ascii: "["), UInt8(ascii: "[")] : [UInt8(ascii: "[")]
        for (index, point) in points.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            put(point)
        }
        text += isPolygon ? [UInt8(ascii: "]"), UInt8(ascii: "]")] : [UInt8(ascii: "]")]
        finish()
    }

    private func begin(_ kind: Geometry.Kind) {
        text.removeAll(keepingCapacity: true)
        text += "{\"type\":\"".utf8
        text += kind.rawValue.utf8
        text += "\",\"coordinates\":".utf8
    }

    private func put(_ point: GeoPoint) {
        text.append(UInt8(ascii: "["))
        text += point.longitude.description.utf8
        text.append(UInt8(ascii: ","))
        text += point.latitude.description.utf8
        text.append(UInt8(ascii: "]"))
    }

    private func finish() {
        text.append(UInt8(ascii: "}"))
        text.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            result.append(.record, result.heap.append(base, count: bytes.count))
        }
    }
}
