extension RedisState {
    /// The script of a commit, which Redis runs as one step.
    ///
    /// Keys: the function's hash, the times at which its keys end, the progress of its parts. Arguments: epoch, its field, the
    /// field of the progress, whether there is progress, the progress, now, the most ended keys to remove, then four for each
    /// change: key, whether it is set, value, end. What can refuse comes before the first change, since a script that fails
    /// keeps what it has changed.
    static let script = """
        local hash = redis.call('TYPE', KEYS[1]).ok
        local expiry = redis.call('TYPE', KEYS[2]).ok
        if (hash ~= 'none' and hash ~= 'hash') or (expiry ~= 'none' and expiry ~= 'zset') then
          return redis.error_reply('WRONGTYPE the key of the function holds another kind of value')
        end
        local stored = redis.call('HGET', KEYS[3], ARGV[2])
        if stored and tonumber(stored) > tonumber(ARGV[1]) then return {'fenced', stored} end
        if stored ~= ARGV[1] then redis.call('HSET', KEYS[3], ARGV[2], ARGV[1]) end
        if ARGV[4] == '1' then redis.call('HSET', KEYS[3], ARGV[3], ARGV[5]) end
        local ends = expiry == 'zset'
        if ends then
          for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[6], 'LIMIT', 0, ARGV[7])) do
            redis.call('HDEL', KEYS[1], key)
            redis.call('ZREM', KEYS[2], key)
          end
        end
        for i = 8, #ARGV, 4 do
          local key, isSet, value, time = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
          if isSet == '1' then redis.call('HSET', KEYS[1], key, value) else redis.call('HDEL', KEYS[1], key) end
          if isSet == '1' and time ~= '' then
            redis.call('ZADD', KEYS[2], time, key)
            ends = true
          elseif ends then
            redis.call('ZREM', KEYS[2], key)
          end
        end
        return redis.status_reply('OK')
        """

    /// The SHA-1 of the script, by which Redis remembers it.
    static let scriptHash = "14cff78582653b738825b18ec23fd6ed42cb3c4e"
}
