-- Writes what one node says of users in a room, or clears what a dead node left there, and tells it.
--
-- KEYS  1 a hash, the presence of the room:
--         epoch, version       one life of this hash, and how many updates it has told
--         members, bytes       users, and what they take in JOINED
--         lowest <node>        the lowest generation of a node that may write; written when the node is given up
--         user <json>          of a user, named as JSON: "<places> <state>", the state as JSON text or empty
--         at <node>.<generation> <json>   the user's connections there
-- ARGV  1 channel  2 PUBLISH or SPUBLISH  3 epoch, should there be none  4 node  5 generation
--       6 lowest generation of the node from now on, or 0: with it this clears, and the generation is not checked
--       7 milliseconds that the hash is kept from now on  8 most members  9 most bytes  10 bytes of a member beside user and state
--       then for each user, at most 500: JSON of the user, connections, state or empty, 1 where the state only fills an empty place
-- Reply {lowest}: nothing was done, the generation is given up; or {false, i, …}: the writes (from 0) whose user, or state, had no space.
-- Tells [epoch, version, place, [[user, connections, state or null], …]] where anything changed: all of it in one message.
local key, node, generation, clears = KEYS[1], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local place = node .. '.' .. ARGV[5]
local lowest = tonumber(redis.call('HGET', key, 'lowest ' .. node) or '0')
if clears == 0 and generation < lowest then return { string.format('%.0f', lowest) } end

local head = redis.call('HMGET', key, 'epoch', 'version', 'members', 'bytes')
local epoch, version = head[1] or ARGV[3], tonumber(head[2] or '0')
local members, bytes = tonumber(head[3] or '0'), tonumber(head[4] or '0')
local mostMembers, mostBytes, beside = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
if clears > lowest then redis.call('HSET', key, 'lowest ' .. node, ARGV[6]) end

local full, told = { false }, {}

local function size(user, state)
  return #user + beside + (state == '' and 4 or #state)
end

local function tell(user, connections, state)
  told[#told + 1] = '[' .. user .. ',' .. connections .. ',' .. (state == '' and 'null' or state) .. ']'
end

for i = 11, #ARGV, 4 do
  local user, connections, state, restores = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3] == '1'
  local entry, whole = 'at ' .. place .. ' ' .. user, 'user ' .. user
  local had = redis.call('HGET', key, entry)
  local held = redis.call('HGET', key, whole)
  local places, old = 0, ''
  if held then
    local space = string.find(held, ' ', 1, true)
    places, old = tonumber(string.sub(held, 1, space - 1)), string.sub(held, space + 1)
  end
  if connections == '0' then
    if had then
      redis.call('HDEL', key, entry)
      if places > 1 then
        redis.call('HSET', key, whole, string.format('%.0f %s', places - 1, old))
        tell(user, '0', old)
      else
        redis.call('HDEL', key, whole)
        members, bytes = members - 1, bytes - size(user, old)
        tell(user, '0', '')
      end
    end
  else
    local wanted = old
    if state ~= '' and not (restores and old ~= '') then wanted = state end
    local before = held and size(user, old) or 0
    local function fits(text)
      local grows = size(user, text) - before
      return grows <= 0 or bytes + grows <= mostBytes
    end
    local isShut = not held and members >= mostMembers
    if isShut or not fits(wanted) then
      full[#full + 1] = (i - 11) / 4
      wanted = old
    end
    if not isShut and fits(wanted) and (had ~= connections or wanted ~= old) then
      if not held then members = members + 1 end
      if not had then places = places + 1 end
      bytes = bytes + size(user, wanted) - before
      redis.call('HSET', key, entry, connections, whole, string.format('%.0f ', places) .. wanted)
      tell(user, connections, wanted)
    end
  end
end

if #told > 0 then version = version + 1 end
redis.call('HSET', key, 'epoch', epoch, 'version', string.format('%.0f', version), 'members', members, 'bytes', bytes)
redis.call('PEXPIRE', key, ARGV[7])
if #told > 0 then
  local update = string.format('["%s",%.0f,"%s",[', epoch, version, place) .. table.concat(told, ',') .. ']]'
  redis.call(ARGV[2], ARGV[1], update)
end
return full
