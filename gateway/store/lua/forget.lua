-- An ended task's caller wants it gone before its time.
--
-- ARGV  rules, task id
-- Returns 1 if it is gone, 0 if it has not ended. Safe to run twice.

local id = ARGV[2]
local task = read_task(id)

if not task.status then return 1 end
if not task.ended_ms then return 0 end
forget(task.team, id)
return 1
