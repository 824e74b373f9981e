/// What is known of a command before it runs.
struct CommandInfo {
    struct Flags: OptionSet {
        let rawValue: Int
        static let write = Flags(rawValue: 1)
        /// Refused while memory is short.
        static let grows = Flags(rawValue: 2)
        static let readOnly = Flags(rawValue: 4)
        /// Runs at once within MULTI.
        static let immediate = Flags(rawValue: 8)
        /// Allowed before AUTH.
        static let open = Flags(rawValue: 16)
        static let fast = Flags(rawValue: 32)
    }

    var name: StaticString
    /// Words including the name; negative for at least so many.
    var arity: Int
    var flags: Flags
    /// Where keys stand: first, last (negative from the end), step; zeros for none.
    var keys: (Int, Int, Int)
    var group: StaticString
    var run: (Executor) -> Void
}

/// All commands, found by name in any case.
///
/// **Isolation.** Filled once before anyone reads.
struct CommandTable {
    let commands: UnsafePointer<CommandInfo>
    let count: Int
    private let slots: UnsafePointer<Int16>
    private static let slotCount = 1024

    // SAFETY: written once by the initialiser, read by all, never freed.
    nonisolated(unsafe) static let shared = CommandTable()

    private init() {
        let all =
            CommandTable.strings + CommandTable.keys + CommandTable.hashes + CommandTable.lists
            + CommandTable.sets + CommandTable.sortedSets + CommandTable.connection + CommandTable.server
        let commands = UnsafeMutablePointer<CommandInfo>.allocate(capacity: all.count)
        let slots = UnsafeMutablePointer<Int16>.allocate(capacity: CommandTable.slotCount)
        slots.initialize(repeating: -1, count: CommandTable.slotCount)
        for (number, info) in all.enumerated() {
            (commands + number).initialize(to: info)
            let name = ByteSlice(info.name.utf8Start, info.name.utf8CodeUnitCount)
            var slot = CommandTable.slot(name)
            while slots[slot] >= 0 { slot = (slot + 1) & (CommandTable.slotCount - 1) }
            slots[slot] = Int16(number)
        }
        self.commands = UnsafePointer(commands)
        self.slots = UnsafePointer(slots)
        count = all.count
    }

    @inline(__always)
    private static func slot(_ name: ByteSlice) -> Int {
        var hash: UInt32 = UInt32(truncatingIfNeeded: name.count)
        for index in 0..<name.count { hash = (hash &* 31) &+ UInt32(name[index] & 0xdf) }
        return Int((hash ^ hash >> 10)) & (slotCount - 1)
    }

    @inline(__always)
    func find(_ name: ByteSlice) -> UnsafePointer<CommandInfo>? {
        guard name.count <= 32 else { return nil }
        var slot = CommandTable.slot(name)
        while slots[slot] >= 0 {
            let info = commands + Int(slots[slot])
            if name.isWord(info.pointee.name) { return info }
            slot = (slot &+ 1) & (CommandTable.slotCount - 1)
        }
        return nil
    }
}
