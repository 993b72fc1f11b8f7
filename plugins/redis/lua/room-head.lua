-- Where a room stands.
-- KEYS, ARGV[1..6]  see room.lua
-- reply     epoch, offset and tag of the head, version
-- bounds    reads one hash
-- include room
if history then ensure() end
save()
return reply_of_head()
