-- Takes one call from the bucket of a rate limit, or gives one back; the same sums as plugins/rate-limit/memory.ts.
-- KEYS[1]  the bucket: when it is full again, in µs since 1970 by this server's clock; a full bucket is no key
-- ARGV[1]  µs in which one call flows back
-- ARGV[2]  µs in which an empty bucket fills
-- ARGV[3]  1: take; -1: give back
-- reply    0: done; n: refused, one can be taken in n µs
-- bounds   one key of at most 16 digits, which goes when its bucket is full
local every = tonumber(ARGV[1])
local burst = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- The clock of a server that took over may be behind: nobody waits longer than an empty bucket does.
local full = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now), now + burst)
local next = full + every * ARGV[3]
local wait = next - burst - now
if wait > 0 then return wait end
if next <= now then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
end
return 0
