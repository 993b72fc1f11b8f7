-- The latest values that were set after a version.
-- KEYS, ARGV[1..6]  see room.lua
-- ARGV[7]   the version; 0: all values
-- reply     version, then the values, the longest unchanged first
-- bounds    what the latest values of a room may take
-- include room
save()
local reply = { text(room.version) }
if room.epoch then append_values(reply, call('ZRANGEBYSCORE', ORDER, '(' .. ARGV[7], '+inf')) end
return reply
