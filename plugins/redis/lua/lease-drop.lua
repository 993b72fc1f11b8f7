-- Drops the lease of a node that was cleared, unless the node has come back meanwhile.
-- KEYS[1]  the leases: see lease-beat
-- ARGV[1]  the node
-- ARGV[2]  the counter under which it was lost
-- reply    1: dropped; 0: it was gone, or its counter has moved
-- bounds   one field
local lease = redis.call('HGET', KEYS[1], ARGV[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
