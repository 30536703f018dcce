-- sending | unknown | in_progress -> completed | failed: end a task exactly once, and hand its
-- slot on.
--
-- ARGV  rules, task id, claim number, status it ends in, then fields and values to remember
-- Returns {1 if this run ended it else 0, claims as a flat list}. Its first answer guards
-- everything that must happen once. Safe to run twice: an ended task is left as it is.

local rules, id, number, status = cjson.decode(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local task = read_task(id)

local may_end = task.status == 'in_progress'
  or (status == 'failed' and (task.status == 'sending' or task.status == 'unknown'))
if task.claim ~= number or not may_end then return {0, {}} end

if task.status == 'sending' then heard(task) end
finish(id, task, status, status == 'completed' and 'charged' or 'free', {unpack(ARGV, 5)}, rules)

-- Two, because what ended freed a slot of an account and a place of a team, and the best task
-- for the one need not be the best for the other.
return {1, claim_next(2, clock_ms(), rules)}
