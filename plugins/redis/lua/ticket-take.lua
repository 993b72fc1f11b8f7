-- Uses a ticket: whoever comes second finds nothing.
-- KEYS[1]  the ticket: JSON of who it is for
-- reply    the JSON, or nil
-- bounds   one key
local identity = redis.call('GET', KEYS[1])
if identity then redis.call('DEL', KEYS[1]) end
return identity
