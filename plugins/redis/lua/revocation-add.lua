-- Writes a revocation down for all nodes, those that are away now included.
-- KEYS[1]  the revocations of a namespace: a stream whose entries have the fields `r`, JSON that nobody here looks into, and `u`, ms since
--          1970 until which the revocation counts
-- ARGV[1]  the JSON      ARGV[2]  ms since 1970      ARGV[3]  how many are kept
-- reply    the id of the entry
-- bounds   about ARGV[3] entries; of the 16 oldest, those that count no more go; the stream goes when none of it counts
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id = redis.call('XADD', key, 'MAXLEN', '~', ARGV[3], '*', 'r', ARGV[1], 'u', ARGV[2])
for _, entry in ipairs(redis.call('XRANGE', key, '-', '+', 'COUNT', 16)) do
  if tonumber(entry[2][4]) <= now and entry[1] ~= id then redis.call('XDEL', key, entry[1]) end
end
local left = math.max(tonumber(ARGV[2]) - now, 1000)
if redis.call('PTTL', key) < left then redis.call('PEXPIRE', key, string.format('%.0f', left)) end
return id
