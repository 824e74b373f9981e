import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The machine's wall clock, which may be set forward and back at any time.
package struct SystemClock: WallClock {
    package init() {}

    package func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let (ticks, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: Timestamp.ticksPerSecond)
        let sum = overflow ? Timestamp.max.ticks : ticks &+ Int64(time.tv_nsec) / 100
        return Timestamp(ticks: min(max(sum, Timestamp.min.ticks), Timestamp.max.ticks))
    }
}

/// The number of this process, for lock files and messages.
package var processIdentifier: Int32 { getpid() }
