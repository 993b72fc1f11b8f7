-- What the scripts of a room's log share; included at their top.
-- KEYS[1]  log     stream: one entry per recoverable publication, id `offset-tag`, fields event, payload, except (empty: nobody),
--                  previous (the tag before it), at (ms), before (bytes of payload of all entries ever before it)
-- KEYS[2]  meta    hash: epoch; offset and tag of the head; count of entries; total bytes of payload ever, gone of them from the log; since (at of the
--                  oldest entry); version, the latest values' own; kept, their bytes; young (which of the ids is written) and turned (ms); expires (ms)
-- KEYS[3]  ids0    hash: publish id -> `offset-tag`, or `-` where it has no position
-- KEYS[4]  ids1    likewise: they take turns
-- KEYS[5]  latest  hash: slot -> label, newline, payload
-- KEYS[6]  order   sorted set: slot by the version of its change
-- ARGV[1]  now in ms; empty: by the server's clock
-- ARGV[2]  the epoch, should one be started
-- ARGV[3]  seconds for which a publish id is known at least
-- ARGV[4]  messages, ARGV[5] seconds and ARGV[6] bytes of the history; empty: the room has none
-- bounds   all six keys exist or none, with one expiry: a key that is missing during the migration of its slot would be TRYAGAIN. What keeps them
--          is an entry '' that is never read, in the log having had one. The expiry is the larger of the history's seconds and those of the ids,
--          and one to two minutes more: it need not be set each time, and who keeps the room alive by asking so often may be late by one.
-- Numbers leave through text(): Lua's own conversion is wrong from 1e14. What is here runs at every publish, and is written to be fast.
local LOG, META, LATEST, ORDER = KEYS[1], KEYS[2], KEYS[5], KEYS[6]
local EXPIRY_SLACK = 60000
local call, format = redis.call, string.format

local function text(number) return format('%.0f', number) end

local micros
if ARGV[1] == '' then
  local time = call('TIME')
  micros = time[1] * 1000000 + time[2]
else
  micros = ARGV[1] * 1000
end
local now = math.floor(micros / 1000)
local id_life = ARGV[3] * 1000
local history = ARGV[4] ~= '' and { messages = tonumber(ARGV[4]), ms = ARGV[5] * 1000, bytes = tonumber(ARGV[6]) }
local life = math.max(history and history.ms or 0, id_life)

local function empty(version)
  return { offset = 0, tag = 0, count = 0, total = 0, gone = 0, since = 0, version = version, kept = 0, young = 0, expires = 0 }
end

-- Reads what is there. Where a key is missing, or the log is not as long as meta says, one was evicted or tampered with: the room is taken for lost.
local room = empty(0)
local stored = call('HGETALL', META)
for i = 1, #stored, 2 do
  room[stored[i]] = stored[i] == 'epoch' and stored[i + 1] or tonumber(stored[i + 1])
end
if room.epoch and (call('XLEN', LOG) ~= room.count or call('EXISTS', unpack(KEYS)) < #KEYS) then room = empty(room.version) end

-- What of meta has changed, as the arguments of one HSET: last, for Redis rolls nothing back.
local changes = { 'HSET', META }
local function change(name, value, value_text)
  room[name] = value
  local length = #changes
  changes[length + 1], changes[length + 2] = name, value_text or text(value)
end

local function clear_ids(which)
  call('UNLINK', KEYS[3 + which])
  call('HSET', KEYS[3 + which], '', '')
  room.expires = 0
end

-- Starts the room where there is none. Meta first: where Redis is out of memory nothing is unlinked.
local function ensure()
  if room.epoch then return end
  room.epoch = ARGV[2]
  call('HSET', META, 'epoch', room.epoch)
  for _, name in ipairs({ 'offset', 'tag', 'count', 'total', 'gone', 'since', 'version', 'kept', 'young' }) do
    change(name, room[name])
  end
  call('UNLINK', LOG, LATEST, ORDER)
  call('XADD', LOG, '0-1', '', '')
  call('XTRIM', LOG, 'MAXLEN', 0)
  clear_ids(0)
  clear_ids(1)
  call('HSET', LATEST, '', '')
  call('ZADD', ORDER, 0, '')
end

-- Ends a script that may have written: meta, and that all keys live on. `expires` is set to 0 by whatever makes a key.
local function save()
  local isDue = room.epoch and room.expires - now < life + EXPIRY_SLACK
  if isDue then change('expires', now + life + 2 * EXPIRY_SLACK) end
  if #changes > 2 then call(unpack(changes)) end
  if not isDue then return end
  -- PEXPIRE counts from another moment for each key, and then one goes before the others.
  local time = call('TIME')
  local at = text(time[1] * 1000 + math.ceil(time[2] / 1000) + life + 2 * EXPIRY_SLACK)
  for _, key in ipairs(KEYS) do call('PEXPIREAT', key, at) end
end

-- Values of an entry's fields by their place in it, in the order in which room-publish.lua writes them.
local EVENT, PAYLOAD, EXCEPT, PREVIOUS, AT, BEFORE = 2, 4, 6, 8, 10, 12

local function entry_at(offset)
  local found = call('XRANGE', LOG, text(offset), text(offset))[1]
  return found and found[2]
end

-- Drops the oldest entries until count, age and bytes are within bounds, if they are beyond them by more than such a share. All three only get
-- better from one entry to the next, so the first that may stay is found by doubling steps and then halving them: most often one look, and
-- never more than 2 * log2(count).
local function trim(slack)
  local messages, bytes, oldest = history.messages, history.bytes, now - history.ms
  if room.count <= messages * (1 + slack) and room.total - room.gone <= bytes * (1 + slack)
    and (room.count == 0 or room.since >= oldest - history.ms * slack) then return end
  local first
  local function stays(offset)
    local entry = entry_at(offset)
    if not entry or room.total - entry[BEFORE] > bytes or tonumber(entry[AT]) < oldest then return false end
    first = entry
    return true
  end
  local low = room.offset + 1 - math.min(room.count, messages)
  local high, step = low, 1
  while high <= room.offset and not stays(high) do
    low = high + 1
    high = high + step
    step = step * 2
  end
  high = math.min(high, room.offset + 1)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if stays(middle) then high = middle else low = middle + 1 end
  end
  change('count', room.offset + 1 - low)
  change('gone', first and tonumber(first[BEFORE]) or room.total)
  change('since', first and tonumber(first[AT]) or 0)
  call('XTRIM', LOG, 'MINID', '=', text(low))
end

-- Why the log cannot be continued after a position; '' where it can.
local function gap_after(epoch, offset, tag)
  offset = tonumber(offset)
  if epoch ~= room.epoch then return 'epoch' end
  if offset < 0 or offset > room.offset then return 'forked' end
  if offset < room.offset - room.count then return 'trimmed' end
  local expected
  if offset == room.offset then expected = text(room.tag) else expected = entry_at(offset + 1)[PREVIOUS] end
  return tag == expected and '' or 'forked'
end

-- A reply, which is one list, from its start: epoch, offset and tag of the head, version.
local function reply_of_head()
  return { room.epoch or '', text(room.offset), text(room.tag), text(room.version) }
end

local function append_entry(reply, id, entry)
  local length = #reply
  reply[length + 1], reply[length + 2], reply[length + 3], reply[length + 4] = id, entry[EVENT], entry[PAYLOAD], entry[EXCEPT]
end

-- The values of slots, as many at a time as one call may name.
local function append_values(reply, slots)
  for from = 1, #slots, 1000 do
    for _, value in ipairs(call('HMGET', LATEST, unpack(slots, from, math.min(from + 999, #slots)))) do
      if value then reply[#reply + 1] = value end
    end
  end
end
