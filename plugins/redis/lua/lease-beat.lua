#!lua flags=allow-oom
-- A node's sign of life, and those of all nodes: one trip for both.
-- KEYS[1]  the leases: a hash of node → "counter generation counts", the counts as JSON
-- ARGV[1]  the node
-- ARGV[2]  its lease
-- ARGV[3]  ms after which the leases of an app that nobody serves any more are dropped
-- reply    all leases: node, lease, node, lease, …
-- bounds   a field for each node that is alive, or whose death nobody has cleared yet; written where memory is full too: it is no reason to die
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('HGETALL', KEYS[1])
