-- A page of what came after a position, for a node that fills a hole.
-- KEYS, ARGV[1..6]  see room.lua; the room has a history
-- ARGV[7]   epoch, ARGV[8] offset and ARGV[9] tag of the position
-- ARGV[10]  publications at most, ARGV[11] their bytes of payload from the second one on
-- reply     epoch, offset and tag of the head, version, gap, 1 if others follow or 0, how many; for each publication id, event, payload, except
-- bounds    ARGV[10], ARGV[11]
-- include room
local max_messages, max_bytes = tonumber(ARGV[10]), tonumber(ARGV[11])
local PAGE = 100

ensure()
trim(0)
save()
local gap = gap_after(ARGV[7], ARGV[8], ARGV[9])
local reply = reply_of_head()
reply[5], reply[6], reply[7] = gap, '0', '0'
local count, bytes, isFull = 0, 0, gap ~= ''
local from = text(tonumber(ARGV[8]) + 1)
while not isFull do
  local page = call('XRANGE', LOG, from, '+', 'COUNT', PAGE)
  for _, found in ipairs(page) do
    bytes = bytes + #found[2][PAYLOAD]
    isFull = count == max_messages or (count > 0 and bytes > max_bytes)
    if isFull then break end
    append_entry(reply, found[1], found[2])
    count = count + 1
  end
  if #page < PAGE then break end
  from = '(' .. page[#page][1]
end

if isFull and gap == '' then reply[6] = '1' end
reply[7] = text(count)
return reply
