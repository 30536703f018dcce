-- A completed task's link is dead: may the caller ask the vendor for a new one? Each link is asked
-- about until there is an answer, by one caller at a time, and then never again.
--
-- ARGV  rules, task id, the dead link
-- Returns 'yours' if so, 'pending' while somebody else may still be asking, 'over' if it was
-- answered or the link is another one by now. Run twice it says 'pending' the second time.

local rules, id, link = cjson.decode(ARGV[1]), ARGV[2], ARGV[3]
local task = read_task(id)
local now = clock_ms()

if task.status ~= 'completed' then return 'over' end
if task.renewal_of == link then
  if not task.renewal_at then return 'over' end
  if now < tonumber(task.renewal_at) + rules.look_lease_ms then return 'pending' end
end
redis.call('HSET', task_key(id), 'renewal_of', link, 'renewal_at', now)
return 'yours'
