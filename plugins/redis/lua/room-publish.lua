-- Publishes a batch into a room: keeps what is to be kept and sends it all to the room's channel as one message.
-- KEYS, ARGV[1..6]  see room.lua
-- ARGV[7]   PUBLISH, or SPUBLISH in a Cluster
-- ARGV[8]   the channel
-- ARGV[9]   publish ids kept at least
-- ARGV[10]  latest values kept at most, ARGV[11] their bytes
-- then, for each publication:
--   kind     r: recoverable, l: latest, v: volatile
--   known    1: its id is remembered
--   id       what its tag is made from
--   slot     with l: what the newest value is kept for
--   event
--   except   the session that must not get it; empty: none
--   label    event, delivery, key and except as an open JSON list
--   lead     the PUBLICATION up to its payload
--   payload  JSON
-- reply     epoch, version, then for each publication `offset-tag`; `-` where it has no position; TOO_LARGE; NO_HISTORY
-- bounds    what the caller puts into a batch. A log may be beyond its history by a sixteenth before it is trimmed; readers see none of that
-- include room
local command, channel = ARGV[7], ARGV[8]
local max_ids, max_values, max_value_bytes = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local TRIM_SLACK = 1 / 16
local now_text = text(now)
local previous_version = room.version
-- Of the head: numbers are turned into text once.
local offset_text, tag_text
local previous_tag
local labels, frames, answers = {}, {}, {}

-- PROTOCOL.md § Positions. In two halves: a number from 12 digits would need a C long of 64 bits.
local function next_tag(id)
  local digest = redis.sha1hex(tag_text .. ':' .. id)
  return tonumber(string.sub(digest, 1, 6), 16) * 16777216 + tonumber(string.sub(digest, 7, 12), 16)
end

-- The answer under an id; nil where it is not known.
local function find(id)
  if not room.epoch then return nil end
  for _, which in ipairs({ room.young, 1 - room.young }) do
    local answer = call('HGET', KEYS[3 + which], id)
    -- '' is the entry that keeps the key, and also an id that a caller may use.
    if answer and answer ~= '' then return answer end
  end
end

local function turn()
  change('young', 1 - room.young)
  clear_ids(room.young)
  change('turned', now)
end

local function remember(id, answer)
  if not room.turned then change('turned', now) end
  if now - room.turned >= id_life then turn() end
  -- One of them is the entry that keeps the key.
  if call('HLEN', KEYS[3 + room.young]) > max_ids then turn() end
  call('HSET', KEYS[3 + room.young], id, answer)
end

local function append_to_log(id, event, except, payload)
  if not history then return 'NO_HISTORY' end
  if #payload > history.bytes then return 'TOO_LARGE' end
  ensure()
  tag_text = tag_text or text(room.tag)
  previous_tag = previous_tag or tag_text
  local before = tag_text
  room.offset, room.tag = room.offset + 1, next_tag(id)
  offset_text, tag_text = text(room.offset), text(room.tag)
  local place = offset_text .. '-' .. tag_text
  call('XADD', LOG, place, 'event', event, 'payload', payload, 'except', except,
    'previous', before, 'at', now_text, 'before', text(room.total))
  if room.count == 0 then change('since', now, now_text) end
  room.count, room.total = room.count + 1, room.total + #payload
  return place, offset_text, tag_text
end

local function bytes_of(slot, value)
  return #slot + #value - string.find(value, '\n', 1, true)
end

local function drop_oldest()
  local slot = call('ZRANGE', ORDER, 1, 1)[1]
  local value = slot and call('HGET', LATEST, slot)
  -- Without either the bytes were not what is kept.
  room.kept = value and room.kept - bytes_of(slot, value) or 0
  if not slot then return false end
  call('HDEL', LATEST, slot)
  call('ZREM', ORDER, slot)
  return true
end

local function set_latest(slot, label, payload)
  local bytes = #slot + #payload
  if bytes > max_value_bytes then return 'TOO_LARGE' end
  ensure()
  local before = call('HGET', LATEST, slot)
  call('HSET', LATEST, slot, label .. '\n' .. payload)
  -- By the clock too: a version is never one that another life of the room, or a server cut off from it, has given out.
  room.version = math.max(room.version + 1, micros)
  call('ZADD', ORDER, text(room.version), slot)
  room.kept = room.kept + bytes - (before and bytes_of(slot, before) or 0)
  while room.kept > max_value_bytes or call('HLEN', LATEST) - 1 > max_values do
    if not drop_oldest() then break end
  end
  return '-'
end

-- The header of a text frame. RFC 6455 § 5.2.
local function header(length)
  if length < 126 then return string.char(0x81, length) end
  if length < 65536 then return struct.pack('>BBI2', 0x81, 126, length) end
  return struct.pack('>BBI4I4', 0x81, 127, 0, length)
end

local function hand_on(label, lead, payload, offset, tag)
  local tail = offset and ',' .. offset .. ',' .. tag .. ']' or ']'
  local head = header(#lead + #payload + #tail)
  labels[#labels + 1] = label .. ',' .. (offset or 'null') .. ',' .. (tag or 'null')
    .. ',' .. #head + #lead .. ',' .. #payload .. ',' .. #tail .. ']'
  local length = #frames
  frames[length + 1], frames[length + 2], frames[length + 3], frames[length + 4] = head, lead, payload, tail
end

for i = 12, #ARGV, 9 do
  local kind, known, id, slot, event, except, label, lead, payload = unpack(ARGV, i, i + 8)
  local isRemembered = known == '1' and kind ~= 'v'
  local answer, offset, tag = isRemembered and find(id) or nil
  if not answer then
    if kind == 'r' then answer, offset, tag = append_to_log(id, event, except, payload)
    elseif kind == 'l' then answer = set_latest(slot, label, payload)
    else answer = '-' end
    if answer ~= 'TOO_LARGE' and answer ~= 'NO_HISTORY' then
      if isRemembered then remember(id, answer) end
      hand_on(label, lead, payload, offset, tag)
    end
  end
  answers[#answers + 1] = answer
end

if room.epoch then
  -- Also where nothing is new: what is known is covered by a WAIT only if this writes.
  change('offset', room.offset, offset_text)
  if previous_tag then
    change('tag', room.tag, tag_text)
    change('count', room.count)
    change('total', room.total)
    trim(TRIM_SLACK)
  end
  if room.version ~= previous_version then
    change('version', room.version)
    change('kept', room.kept)
  end
end
save()
local version_text = text(room.version)
if #labels > 0 then
  local head = '[' .. (room.epoch and cjson.encode(room.epoch) or 'null') .. ',' .. (previous_tag or 'null') .. ',' .. version_text
    .. ',[' .. table.concat(labels, ',') .. '],' .. text(previous_version) .. ']'
  call(command, channel, struct.pack('>I4', #head) .. head .. table.concat(frames))
end
return { room.epoch or '', version_text, unpack(answers) }
