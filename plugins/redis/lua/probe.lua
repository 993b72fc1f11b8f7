-- Shows that a server takes writes, and lets a subscriber show that it hears.
-- KEYS[1]  the channel, a name of its own; the key of that name never exists
-- ARGV[1]  'PUBLISH', in a Cluster 'SPUBLISH'
-- ARGV[2]  the nonce
-- reply    how many heard it
-- bounds   two commands; keeps nothing
-- Deleting is a write that is refused by a replica, and not for want of memory.
redis.call('DEL', KEYS[1])
return redis.call(ARGV[1], KEYS[1], ARGV[2])
