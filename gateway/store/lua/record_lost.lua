-- sending -> unknown: the submit's answer was lost. The slot stays, for a long hold.
--
-- ARGV  rules, task id, claim number, reason
-- Returns 1 if the record now says so, 0 if the claim is no longer good. Safe to run twice.

local rules, id, number, reason = cjson.decode(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local task = read_task(id)

if task.claim ~= number then return 0 end
if task.status == 'unknown' then return 1 end
if task.status ~= 'sending' then return 0 end

lose(id, task, reason, clock_ms(), rules)
return 1
