-- Compare one account's slots with the records, in one atomic snapshot.
--
-- ARGV  account, comma-separated models, comma-separated statuses that hold a slot,
--       then ids of tasks that may hold a slot of this account (from the leases and looks)
-- Returns a list of differences as sentences; an empty one means that slots and records agree.

local account = ARGV[1]
local holds, differences, seen = {}, {}, {}
for status in ARGV[3]:gmatch('[^,]+') do holds[status] = true end
-- The set within the lane where a task of this status must be, beside `slots`.
local part = {claimed = 'transit', sending = 'transit', unknown = 'unknown'}

local function differ(...) differences[#differences + 1] = table.concat({...}, '') end

local function compare(id, task, model)
  if not holds[task.status] then
    return differ(id, ' is in a slot of ', account, ' but its record says ', task.status or 'nothing')
  elseif task.account ~= account or split_class(task.class) ~= model then
    return differ(id, ' is in a slot of ', account, ' but belongs to ', task.account, ' ', task.class)
  end
  if redis.call('SISMEMBER', key('places', task.team), id) == 0 then
    differ(id, ' is in a slot of ', account, ' but not in a place of its team ', task.team)
  end
  if not redis.call('ZSCORE', key('leases'), id) and not redis.call('ZSCORE', key('due'), id) then
    differ(id, ' is in a slot of ', account, ' but nobody will ever look after it')
  end
  if part[task.status] and redis.call('SISMEMBER', lane_key(part[task.status], task), id) == 0 then
    differ(id, ' is ', task.status, ' on ', account, ' but not in its set ', part[task.status])
  end
end

for model in ARGV[2]:gmatch('[^,]+') do
  for _, id in ipairs(redis.call('SMEMBERS', key('slots', account, model))) do
    seen[id] = true
    compare(id, read_task(id), model)
  end
  for _, set in ipairs({'transit', 'unknown'}) do
    for _, id in ipairs(redis.call('SMEMBERS', key(set, account, model))) do
      local status = redis.call('HGET', task_key(id), 'status')
      if not seen[id] or part[status] ~= set then
        differ(id, ' is in the set ', set, ' of ', account, ' but its record says ', status or 'nothing')
      end
    end
  end
end

for i = 4, #ARGV do
  local id = ARGV[i]
  local task = read_task(id)
  if not seen[id] and task.account == account and holds[task.status] then
    differ(id, ' is ', task.status, ' on ', account, ' but in none of its slots')
  end
end

return differences
