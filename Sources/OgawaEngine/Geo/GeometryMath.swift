#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Functions of the C library under names of their own.
enum GeometryMath {
    static func cosine(_ angle: Double) -> Double { cos(angle) }
}
