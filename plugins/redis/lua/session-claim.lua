-- Takes the place of a session among all nodes, for one of its connections; says the same again of one that has it.
-- KEYS[1]  the sessions of a user: a hash of session → "node order start", and behind that the node and order of the connection that had the
--          place on another node; `order` is the connection's among those of its node, `start` when it began, in ms since 1970 by this
--          server's clock
-- ARGV[1]  the session      ARGV[2]  the node      ARGV[3]  the order      ARGV[4]  ms since the connection began
-- ARGV[5]  most sessions of the user, or 0 for any number
-- ARGV[6]  ms that the hash is kept from now on
-- ARGV[7]  ms: connections of two nodes that began within as much of each other are not told apart here
-- ARGV[8…] session, value, … that are dropped where they still stand so
-- reply    {granted, node and order of the connection that had the place, or empty}; {fenced}: a younger one has it;
--          {full, now, session, value, …}: there are as many, the first 1,000 of them
-- bounds   a field for each session; none is added beyond ARGV[5]
local key, session, node, order = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local most, slack = tonumber(ARGV[5]), tonumber(ARGV[7])
for i = 8, #ARGV, 2 do
  if redis.call('HGET', key, ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', key, ARGV[i]) end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local start = now - tonumber(ARGV[4])
local previous = ''
local held = redis.call('HGET', key, session)
if held then
  local at, its, began, before = string.match(held, '^(%S+) (%S+) (%S+) ?(.*)$')
  if at == node then
    if tonumber(its) > order then return { 'fenced' } end
    -- The reply to its first claim may have been lost.
    if tonumber(its) == order then previous = before end
  else
    -- A start ahead of now is of a server whose clock was ahead: it says nothing.
    if tonumber(began) > start + slack and tonumber(began) <= now then return { 'fenced' } end
    previous = at .. ' ' .. its
  end
elseif most > 0 and redis.call('HLEN', key) >= most then
  local reply = { 'full', string.format('%.0f', now) }
  for i, text in ipairs(redis.call('HGETALL', key)) do
    if i > 2000 then break end
    reply[i + 2] = text
  end
  return reply
end
local place = node .. ' ' .. ARGV[3] .. ' ' .. string.format('%.0f', start)
if previous ~= '' then place = place .. ' ' .. previous end
redis.call('HSET', key, session, place)
redis.call('PEXPIRE', key, ARGV[6])
return { 'granted', previous }
