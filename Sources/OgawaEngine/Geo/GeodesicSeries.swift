// The series of Karney's solution of the geodesic problem in the third flattening and in eps, to order 6: below a nanometre on the
// Earth. C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87 (2013), equations 17 to 25.

/// The six sine coefficients of one series; index 0 stands for the first.
typealias SineCoefficients = (Double, Double, Double, Double, Double, Double)

enum GeodesicSeries {
    /// A1: the distance per arc length on the auxiliary sphere, less 1.
    static func a1(_ eps: Double) -> Double {
        let square = eps * eps
        let sum = ((square + 4) * square + 64) * square / 256
        return (sum + eps) / (1 - eps)
    }

    /// C1: the periodic part of the distance.
    static func c1(_ eps: Double) -> SineCoefficients {
        let square = eps * eps
        let (p2, p3) = (square, square * eps)
        let (p4, p5, p6) = (square * square, p3 * square, p3 * p3)
        return (
            eps * ((6 - square) * square - 16) / 32, p2 * ((64 - 9 * square) * square - 128) / 2048,
            p3 * (9 * square - 16) / 768, p4 * (3 * square - 5) / 512, p5 * -7 / 1280, p6 * -7 / 2048
        )
    }

    /// A2: the constant part of the reduced length, less 1.
    static func a2(_ eps: Double) -> Double {
        let square = eps * eps
        let sum = ((-11 * square - 28) * square - 192) * square / 256
        return (sum - eps) / (1 + eps)
    }

    /// C2: the periodic part of the reduced length.
    static func c2(_ eps: Double) -> SineCoefficients {
        let square = eps * eps
        let (p2, p3) = (square, square * eps)
        let (p4, p5, p6) = (square * square, p3 * square, p3 * p3)
        return (
            eps * ((square + 2) * square + 16) / 32, p2 * ((35 * square + 64) * square + 384) / 2048,
            p3 * (15 * square + 80) / 768, p4 * (7 * square + 35) / 512, p5 * 63 / 1280, p6 * 77 / 2048
        )
    }

    /// A3 as a polynomial in eps, the coefficients evaluated at the ellipsoid's third flattening.
    static func a3Coefficients(_ n: Double) -> SineCoefficients {
        (
            1, (n - 1) / 2, ((3 * n - 1) * n - 2) / 8, ((-n - 3) * n - 1) / 16, (-2 * n - 3) / 64, -3.0 / 128
        )
    }

    /// C3 as polynomials in eps: rows of the coefficients of eps, eps² … for each sine.
    static func c3Coefficients(_ n: Double) -> [[Double]] {
        [
            [
                (1 - n) / 4, (1 - n * n) / 8, ((3 - n) * n + 3) / 64, (2 * n + 5) / 128, 3.0 / 128,
            ],
            [((n - 3) * n + 2) / 32, ((-3 * n - 2) * n + 3) / 64, (n + 3) / 128, 5.0 / 256],
            [((5 * n - 9) * n + 5) / 192, (9 - 10 * n) / 384, 7.0 / 512],
            [(7 - 14 * n) / 512, 7.0 / 512],
            [21.0 / 2560],
        ]
    }

    /// The sum of c(i) sin(2 i x) by Clenshaw's recurrence.
    @inline(__always)
    static func sineSum(_ sine: Double, _ cosine: Double, _ c: SineCoefficients) -> Double {
        let factor = 2 * (cosine - sine) * (cosine + sine)
        var (next, last) = (c.5, 0.0)
        for value in [c.4, c.3, c.2, c.1, c.0] {
            (next, last) = (factor * next - last + value, next)
        }
        return 2 * sine * cosine * next
    }
}
