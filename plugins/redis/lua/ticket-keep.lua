-- Notes a ticket under whom it is taken back with: its user, or its token.
-- KEYS[1]  a sorted set of the digests of unused tickets, by the ms since 1970 at which they end
-- ARGV[1]  the digest      ARGV[2]  ms that it is good for      ARGV[3]  how many there may be, or 0 for any number
-- reply    1: noted; 0: there are as many
-- bounds   ARGV[3]; those that have ended go first, and the set with its last
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local most = tonumber(ARGV[3])
if most > 0 and redis.call('ZCARD', KEYS[1]) >= most then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
