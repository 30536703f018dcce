-- Compare one team's places, queues and bytes with the records, in one atomic snapshot. That every
-- slot has its place is verify_slots' part; this is the other direction.
--
-- ARGV  team, comma-separated statuses that hold a slot
-- Returns a list of differences as sentences.

local team = ARGV[1]
local holds, differences, bytes = {}, {}, 0
for status in ARGV[2]:gmatch('[^,]+') do holds[status] = true end

local function differ(...) differences[#differences + 1] = table.concat({...}, '') end

for _, id in ipairs(redis.call('SMEMBERS', key('places', team))) do
  local task = read_task(id)
  bytes = bytes + (task.bytes or 0)
  if task.team ~= team or not holds[task.status] then
    differ(id, ' is in a place of ', team, ' but its record says ', task.status or 'nothing')
  end
end

for _, class in ipairs(redis.call('SMEMBERS', key('classes'))) do
  for _, id in ipairs(redis.call('ZRANGE', key('queue', class, team), 0, -1)) do
    local task = read_task(id)
    bytes = bytes + (task.bytes or 0)
    if task.status ~= 'queued' or task.team ~= team or task.class ~= class then
      differ(id, ' waits for ', team, ' but its record says ', task.status or 'nothing')
    elseif not redis.call('ZSCORE', key('deadlines'), id) then
      differ(id, ' waits for ', team, ' but will wait for ever')
    end
  end
end

local held = tonumber(redis.call('HGET', key('bytes'), team) or 0)
if held ~= bytes then differ(team, ' is said to hold ', held, ' bytes but holds ', bytes) end

return differences
