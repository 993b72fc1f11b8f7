-- Reads revocations behind one that is known.
-- KEYS[1]  the revocations of a namespace: see revocation-add
-- ARGV[1]  the id of the last one known, or 0-0      ARGV[2]  how many at most
-- reply    {ms since 1970 by this server's clock, id of the newest entry or empty, id, JSON, id, JSON, …}
-- bounds   ARGV[2] entries
local time = redis.call('TIME')
local reply = { string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), '' }
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if newest[1] then reply[2] = newest[1][1] end
local streams = redis.call('XREAD', 'COUNT', ARGV[2], 'STREAMS', KEYS[1], ARGV[1])
if streams then
  for _, entry in ipairs(streams[1][2]) do
    reply[#reply + 1] = entry[1]
    reply[#reply + 1] = entry[2][2]
  end
end
return reply
