extension CommandTable {
    static var server: [CommandInfo] {
        [
            server("DBSIZE", 1, [.readOnly, .fast]) { $0.integer($0.space.tables[$0.database].count) },
            server("FLUSHDB", -1, [.write]) { $0.flush(all: false) },
            server("FLUSHALL", -1, [.write]) { $0.flush(all: true) },
            server("INFO", -1, [.readOnly]) { $0.serverInfo() },
            server("CONFIG", -2, []) { $0.config() },
            server("COMMAND", -1, []) { $0.command() },
            server("TIME", 1, [.fast]) { $0.time() },
            server("MEMORY", -2, [.readOnly]) { $0.memory() },
        ]
    }

    private static func server(
        _ name: StaticString, _ arity: Int, _ flags: CommandInfo.Flags, _ run: @escaping (Executor) -> Void
    ) -> CommandInfo {
        CommandInfo(name: name, arity: arity, flags: flags, keys: (0, 0, 0), group: "server", run: run)
    }
}

extension Executor {
    func flush(all: Bool) {
        if argumentCount > 2 || argumentCount == 2 && !argument(1).isWord("SYNC") && !argument(1).isWord("ASYNC") {
            return syntaxError()
        }
        if all {
            for number in 0..<KeySpace.databaseCount { space.clear(number) }
        } else {
            space.clear(database)
        }
        ok()
    }

    func time() {
        let now = space.state.pointee.now
        array(2)
        bulk(text: String(now / 1000))
        bulk(text: String(now % 1000 * 1000))
    }

    func memory() {
        if argument(1).isWord("USAGE"), argumentCount >= 3 {
            guard let entry = space.find(database, argument(2)) else { return null() }
            return integer(Entry.headerByteCount + entry.capacity + 16)
        }
        unknownSubcommand()
    }

    // MARK: Facts

    func serverInfo() {
        var text = ""
        let wanted = argumentCount > 1 ? (1..<argumentCount).map { argument($0).string.lowercased() } : ["default"]
        let isAll = wanted.contains { ["default", "all", "everything"].contains($0) }
        for (title, facts) in facts where isAll || wanted.contains(title.lowercased()) {
            text += "\(text.isEmpty ? "" : "\r\n")# \(title)\r\n"
            for (name, value) in facts { text += "\(name):\(value)\r\n" }
        }
        if session.isVersion3 {
            out.pointee.replyHeader("=", text.utf8.count + 4)
            out.pointee.append("txt:")
            out.pointee.append(text: text)
            out.pointee.newLine()
        } else {
            bulk(text: text)
        }
    }

    private var facts: [(String, [(String, String)])] {
        let state = space.state.pointee
        var keyspace: [(String, String)] = []
        for number in 0..<KeySpace.databaseCount where space.tables[number].count > 0 {
            let table = space.tables[number]
            keyspace.append(("db\(number)", "keys=\(table.count),expires=\(table.expiringCount),avg_ttl=0"))
        }
        return [
            ("Server", [("redis_version", Executor.redisVersion), ("redis_mode", "standalone"), ("server", "ogawa")]),
            (
                "Memory",
                [
                    ("used_memory", String(space.heap.pointee.byteCount)), ("maxmemory", String(interface.memoryLimit)),
                    ("maxmemory_policy", "noeviction"),
                ]
            ),
            ("Persistence", [("loading", "0")]),
            (
                "Stats",
                [
                    ("total_commands_processed", String(commandCount)), ("expired_keys", String(state.expiredCount)),
                    ("changes", String(state.changeCount)),
                ]
            ),
            ("Replication", [("role", "master"), ("connected_slaves", "0")]),
        ] + details() + [("Keyspace", keyspace)]
    }

    func config() {
        if argument(1).isWord("GET"), argumentCount >= 3 {
            let settings = [
                ("maxmemory", String(interface.memoryLimit)), ("maxmemory-policy", "noeviction"),
                ("maxclients", String(interface.mostClients)), ("databases", String(KeySpace.databaseCount)),
                ("proto-max-bulk-len", String(interface.longestArgument)), ("appendonly", "yes"), ("save", ""),
                ("timeout", "0"),
            ].filter { setting in
                (2..<argumentCount).contains { index in
                    withSlice(Array(setting.0.utf8)) { matchesGlob(argument(index), $0) }
                }
            }
            map(settings.count)
            for (name, value) in settings {
                bulk(text: name)
                bulk(text: value)
            }
        } else if argument(1).isWord("SET") {
            error("ERR settings of the embedded state are made in ogawa.yaml")
        } else if argument(1).isWord("RESETSTAT") {
            ok()
        } else {
            unknownSubcommand()
        }
    }

    // MARK: Commands

    func command() {
        guard argumentCount > 1 else { return replyCommands(all: true) }
        let word = argument(1)
        if word.isWord("COUNT"), argumentCount == 2 {
            integer(table.count)
        } else if word.isWord("DOCS") {
            replyDocs()
        } else if word.isWord("INFO") {
            replyCommands(all: argumentCount == 2)
        } else if word.isWord("LIST") {
            array(table.count)
            for index in 0..<table.count { bulk(text: "\(table.commands[index].name)".lowercased()) }
        } else {
            unknownSubcommand()
        }
    }

    private func replyCommands(all: Bool) {
        guard !all else {
            array(table.count)
            for index in 0..<table.count { reply(table.commands[index]) }
            return
        }
        array(argumentCount - 2)
        for index in 2..<argumentCount {
            if let found = table.find(argument(index)) { reply(found.pointee) } else { nullArray() }
        }
    }

    private func reply(_ info: CommandInfo) {
        array(10)
        bulk(text: "\(info.name)".lowercased())
        integer(info.arity)
        var flags: [StaticString] = []
        if info.flags.contains(.write) { flags.append("+write\r\n") }
        if info.flags.contains(.readOnly) { flags.append("+readonly\r\n") }
        if info.flags.contains(.grows) { flags.append("+denyoom\r\n") }
        if info.flags.contains(.fast) { flags.append("+fast\r\n") }
        set(flags.count)
        for flag in flags { out.pointee.append(flag) }
        integer(info.keys.0)
        integer(info.keys.1)
        integer(info.keys.2)
        set(0)
        array(0)
        array(0)
        array(0)
    }

    private func replyDocs() {
        var found: [CommandInfo] = []
        if argumentCount == 2 {
            for index in 0..<table.count { found.append(table.commands[index]) }
        } else {
            for index in 2..<argumentCount {
                if let info = table.find(argument(index)) { found.append(info.pointee) }
            }
        }
        map(found.count)
        for info in found {
            bulk(text: "\(info.name)".lowercased())
            map(2)
            bulk(text: "summary")
            bulk(text: "As in Redis \(Executor.redisVersion)")
            bulk(text: "group")
            bulk(text: "\(info.group)")
        }
    }
}
