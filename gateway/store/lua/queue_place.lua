-- Where a queued task stands.
--
-- ARGV  rules, task id
-- Returns a place (see place); empty if it does not wait.

local id = ARGV[2]
local task = read_task(id)

if task.status ~= 'queued' then return {} end
return place(task.class, task.team, tonumber(task.order), clock_ms(), cjson.decode(ARGV[1]))
