-- What a reader of a room gets.
-- KEYS, ARGV[1..6]  see room.lua
-- ARGV[7]   epoch of the position it continues from, ARGV[8] its offset (empty: it continues from none), ARGV[9] its tag
-- ARGV[10]  without a position, or where it met a gap: how many of the newest
-- ARGV[11]  the reader's session; empty: none, and nothing is left out
-- ARGV[12]  publications at most, ARGV[13] their bytes of payload
-- reply     epoch, offset and tag of the head, version, gap, how many; for each publication id, event, payload, except; then the latest values
-- bounds    ARGV[12], ARGV[13], and what the latest values may take; entries excepted for the reader are looked at, and not answered
-- include room
local session, max_messages, max_bytes = ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13])
local PAGE = 100

if history then
  ensure()
  trim(0)
end
save()

-- Entries that the reader may see, from one end of the log, until `visit` says stop; most likely after `expected`.
local function scan(range, from, to, expected, visit)
  local size = math.max(1, math.min(expected, PAGE))
  while true do
    local entries = call(range, LOG, from, to, 'COUNT', size)
    for _, found in ipairs(entries) do
      local isFor = session == '' or found[2][EXCEPT] ~= session
      if isFor and not visit(found[1], found[2]) then return end
    end
    if #entries < size then return end
    from = '(' .. entries[#entries][1]
    size = PAGE
  end
end

local function missed(offset)
  local list, bytes, fits = {}, 0, true
  scan('XRANGE', text(offset + 1), '+', room.offset - offset, function(id, entry)
    bytes = bytes + #entry[PAYLOAD]
    fits = #list < max_messages and bytes <= max_bytes
    if fits then list[#list + 1] = { id, entry } end
    return fits
  end)
  return fits and list
end

local function newest(count)
  local list, bytes = {}, 0
  if count == 0 then return list end
  scan('XREVRANGE', '+', '-', count, function(id, entry)
    bytes = bytes + #entry[PAYLOAD]
    if bytes > max_bytes then return false end
    list[#list + 1] = { id, entry }
    return #list < count
  end)
  local oldest_first = {}
  for i = #list, 1, -1 do oldest_first[#oldest_first + 1] = list[i] end
  return oldest_first
end

local gap, list = '', nil
if history and ARGV[8] ~= '' then
  gap = gap_after(ARGV[7], ARGV[8], ARGV[9])
  list = gap == '' and missed(tonumber(ARGV[8]))
  if not list and gap == '' then gap = 'tooMany' end
end
if history and not list then list = newest(tonumber(ARGV[10])) end

local reply = reply_of_head()
reply[5], reply[6] = gap, text(list and #list or 0)
for _, found in ipairs(list or {}) do append_entry(reply, found[1], found[2]) end
if room.epoch then append_values(reply, call('ZRANGE', ORDER, 1, -1)) end
return reply
