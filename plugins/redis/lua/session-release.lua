-- Gives the place of a session back, where it is still that connection's.
-- KEYS[1]  the sessions of a user: see session-claim
-- ARGV[1]  the session      ARGV[2]  the node      ARGV[3]  the order
-- reply    1: given back; 0: it is another one's, or nobody's
-- bounds   one field
local held = redis.call('HGET', KEYS[1], ARGV[1])
local mine = ARGV[2] .. ' ' .. ARGV[3] .. ' '
if not held or string.sub(held, 1, #mine) ~= mine then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
