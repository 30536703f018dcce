-- Compare one team's places with the records, in one atomic snapshot. That every slot has its
-- place is verify_slots' part; this is the other direction.
--
-- ARGV  team, comma-separated statuses that hold a slot
-- Returns a list of differences as sentences.

local team = ARGV[1]
local holds, differences = {}, {}
for status in ARGV[2]:gmatch('[^,]+') do holds[status] = true end

for _, id in ipairs(redis.call('SMEMBERS', key('places', team))) do
  local task = hash(redis.call('HGETALL', task_key(id)))
  if task.team ~= team or not holds[task.status] then
    differences[#differences + 1] =
      id .. ' is in a place of ' .. team .. ' but its record says ' .. (task.status or 'nothing')
  end
end

return differences
