-- A completed task's link is dead: may the caller ask the vendor for a new one? Each link is asked
-- about until there is an answer, by one caller at a time, and then never again.
--
-- ARGV  rules, task id, the dead link, what it is a link to (video, thumbnail)
-- Returns 'yours' if so, 'pending' while somebody else may still be asking, 'over' if it was
-- answered or the link is another one by now. Run twice it says 'pending' the second time.

local rules, id, link = cjson.decode(ARGV[1]), ARGV[2], ARGV[3]
local task = read_task(id)
local now = clock_ms()
local of, at = 'renewal_of_' .. ARGV[4], 'renewal_at_' .. ARGV[4]

if task.status ~= 'completed' then return 'over' end
if task[of] == link then
  if not task[at] then return 'over' end
  if now < tonumber(task[at]) + rules.look_lease_ms then return 'pending' end
end
redis.call('HSET', task_key(id), of, link, at, now)
return 'yours'
