extension CommandTable {
    static var connection: [CommandInfo] {
        [
            connection("PING", -1, [.fast]) { $0.ping() },
            connection("ECHO", 2, [.fast]) { $0.bulk($0.argument(1)) },
            connection("HELLO", -1, [.fast, .open]) { $0.hello() },
            connection("AUTH", -2, [.fast, .open]) { $0.authenticate() },
            connection("SELECT", 2, [.fast]) { $0.select() },
            connection("QUIT", -1, [.fast, .open, .immediate]) { $0.quit() },
            connection("RESET", 1, [.fast, .open, .immediate]) { $0.reset() },
            connection("CLIENT", -2, [.fast]) { $0.client() },
            connection("MULTI", 1, [.fast, .immediate], group: "transactions") { $0.begin() },
            connection("EXEC", 1, [.immediate], group: "transactions") { $0.commit() },
            connection("DISCARD", 1, [.fast, .immediate], group: "transactions") { $0.discard() },
            connection("WATCH", -2, [.fast, .immediate], keys: (1, -1, 1), group: "transactions") { $0.watch() },
            connection("UNWATCH", 1, [.fast], group: "transactions") { $0.unwatch() },
        ]
    }

    private static func connection(
        _ name: StaticString, _ arity: Int, _ flags: CommandInfo.Flags, keys: (Int, Int, Int) = (0, 0, 0),
        group: StaticString = "connection", _ run: @escaping (Executor) -> Void
    ) -> CommandInfo {
        CommandInfo(name: name, arity: arity, flags: flags, keys: keys, group: group, run: run)
    }
}

extension Executor {
    func ping() {
        guard argumentCount <= 2 else { return error("ERR wrong number of arguments for 'ping' command") }
        if argumentCount == 2 { bulk(argument(1)) } else { out.pointee.append("+PONG\r\n") }
    }

    func select() {
        guard let number = integerArgument(1) else { return }
        guard number >= 0, number < KeySpace.databaseCount else { return error("ERR DB index is out of range") }
        session.database = Int(number)
        ok()
    }

    func quit() {
        ok()
        session.isClosing = true
    }

    func reset() {
        forgetWatches()
        session.endTransaction()
        session.database = 0
        session.isVersion3 = false
        session.name = []
        session.isAuthenticated = interface.password == nil
        out.pointee.append("+RESET\r\n")
    }

    // MARK: Who is there

    func hello() {
        var index = 1
        var version: Bool?
        if argumentCount > 1 {
            guard let number = argument(1).integer else {
                return error("ERR Protocol version is not an integer or out of range")
            }
            guard number == 2 || number == 3 else { return error("NOPROTO unsupported protocol version") }
            version = number == 3
            index = 2
        }
        var name: ByteSlice?
        while index < argumentCount {
            if argument(index).isWord("AUTH"), index + 2 < argumentCount {
                guard checkPassword(argument(index + 1), argument(index + 2)) else { return }
                index += 3
            } else if argument(index).isWord("SETNAME"), index + 1 < argumentCount {
                guard isName(argument(index + 1)) else { return badName() }
                name = argument(index + 1)
                index += 2
            } else {
                return error("ERR Syntax error in HELLO option '\(argument(index).string)'")
            }
        }
        guard session.isAuthenticated else {
            return error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
                    + "<user> <pass> option can be used to authenticate the client and select the RESP protocol version "
                    + "at the same time")
        }
        if let name { session.name = name.array }
        if let version { session.isVersion3 = version }
        map(7)
        bulk(text: "server")
        bulk(text: "redis")
        bulk(text: "version")
        bulk(text: Executor.redisVersion)
        bulk(text: "proto")
        integer(session.isVersion3 ? 3 : 2)
        bulk(text: "id")
        integer(Int(session.identifier))
        bulk(text: "mode")
        bulk(text: "standalone")
        bulk(text: "role")
        bulk(text: "master")
        bulk(text: "modules")
        array(0)
    }

    /// The version of Redis whose behaviour is followed; clients choose features by it.
    static let redisVersion = "7.0.15"

    func authenticate() {
        guard argumentCount <= 3 else { return syntaxError() }
        if argumentCount == 2, interface.password == nil {
            return error(
                "ERR AUTH <password> called without any password configured for the default user. "
                    + "Are you sure your configuration is correct?")
        }
        let user: StaticString = "default"
        let name =
            argumentCount == 3 ? argument(1) : ByteSlice(user.utf8Start, user.utf8CodeUnitCount)
        if checkPassword(name, argument(argumentCount - 1)) { ok() }
    }

    /// Compares in the same time whatever is right of the password; answers with an error where it is wrong.
    private func checkPassword(_ user: ByteSlice, _ given: ByteSlice) -> Bool {
        let expected = Array((interface.password ?? "").utf8)
        var difference = given.count ^ expected.count
        for index in 0..<given.count {
            let right = expected.isEmpty ? 0 : expected[index % expected.count]
            difference |= Int(given[index] ^ right)
        }
        // Without a password the default user may come with any.
        let isRight = user.string == "default" && (interface.password == nil || difference == 0)
        if isRight {
            session.isAuthenticated = true
        } else {
            error("WRONGPASS invalid username-password pair or user is disabled.")
        }
        return isRight
    }

    private func isName(_ name: ByteSlice) -> Bool {
        name.array.allSatisfy { $0 >= UInt8(ascii: "!") && $0 <= UInt8(ascii: "~") }
    }

    private func badName() { error("ERR Client names cannot contain spaces, newlines or special characters.") }

    func client() {
        let word = argument(1)
        if word.isWord("ID"), argumentCount == 2 {
            integer(Int(session.identifier))
        } else if word.isWord("GETNAME"), argumentCount == 2 {
            if session.name.isEmpty { null() } else { withSlice(session.name) { bulk($0) } }
        } else if word.isWord("SETNAME"), argumentCount == 3 {
            guard isName(argument(2)) else { return badName() }
            session.name = argument(2).array
            ok()
        } else if word.isWord("SETINFO"), argumentCount == 4 {
            setClientInfo()
        } else if word.isWord("LIST") || word.isWord("INFO"), argumentCount == 2 {
            bulk(text: clientLine)
        } else if word.isWord("NO-EVICT") || word.isWord("NO-TOUCH") || word.isWord("REPLY"), argumentCount == 3 {
            guard !word.isWord("REPLY") || argument(2).isWord("ON") else {
                return error("ERR CLIENT REPLY knows only ON here")
            }
            ok()
        } else if word.isWord("HELP") {
            array(1)
            bulk(text: "CLIENT ID|GETNAME|SETNAME|SETINFO|INFO|LIST")
        } else {
            unknownSubcommand()
        }
    }

    private func setClientInfo() {
        guard isName(argument(3)) else {
            return error("ERR \(argument(2).string) cannot contain spaces, newlines or special characters.")
        }
        if argument(2).isWord("LIB-NAME") {
            session.library = argument(3).array
        } else if argument(2).isWord("LIB-VER") {
            session.libraryVersion = argument(3).array
        } else {
            return error("ERR Unrecognized option '\(argument(2).string)'")
        }
        ok()
    }

    private var clientLine: String {
        "id=\(session.identifier) addr=\(session.address) name=\(String(decoding: session.name, as: UTF8.self)) "
            + "db=\(session.database) multi=\(session.isInTransaction ? session.queue.count : -1) "
            + "resp=\(session.isVersion3 ? 3 : 2) lib-name=\(String(decoding: session.library, as: UTF8.self)) "
            + "lib-ver=\(String(decoding: session.libraryVersion, as: UTF8.self))\n"
    }

    // MARK: Transactions

    func begin() {
        if session.isInTransaction { return error("ERR MULTI calls can not be nested") }
        session.isInTransaction = true
        ok()
    }

    func discard() {
        guard session.isInTransaction else { return error("ERR DISCARD without MULTI") }
        session.endTransaction()
        forgetWatches()
        ok()
    }

    func commit() {
        guard session.isInTransaction else { return error("ERR EXEC without MULTI") }
        let queue = session.queue
        let isBroken = session.isTransactionBroken
        session.endTransaction()
        // A watched key that has ended meanwhile has changed.
        for watched in session.watchedKeys {
            withSlice(watched.key) { _ = space.find(watched.database, $0) }
        }
        let isDirty = session.watcher.isDirty
        forgetWatches()
        if isBroken { return error("EXECABORT Transaction discarded because of previous errors.") }
        if isDirty { return nullArray() }
        runQueue(queue)
    }

    func watch() {
        if session.isInTransaction { return error("ERR WATCH inside MULTI is not allowed") }
        for index in 1..<argumentCount {
            _ = space.find(database, argument(index))
            let key = WatchedKey(database: database, key: argument(index).array)
            let watcher = session.watcher
            if space.watched[key, default: [:]].updateValue(watcher, forKey: ObjectIdentifier(watcher)) == nil {
                session.watchedKeys.append(key)
                space.state.pointee.watchCount += 1
            }
        }
        ok()
    }

    func unwatch() {
        forgetWatches()
        ok()
    }

    /// Ends what the session watches; also when its client goes.
    func forgetWatches() {
        for key in session.watchedKeys {
            space.watched[key]?[ObjectIdentifier(session.watcher)] = nil
            if space.watched[key]?.isEmpty == true { space.watched[key] = nil }
            space.state.pointee.watchCount -= 1
        }
        session.watchedKeys = []
        session.watcher.isDirty = false
    }
}
