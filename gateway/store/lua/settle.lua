-- sending | unknown | in_progress -> completed | failed: end a task exactly once, and hand its
-- slot on.
--
-- ARGV  lease of a claim in ms, task id, claim number, status it ends in, ms that the ended
--       record is kept, then fields and values to remember
-- Returns {1 if this run ended it else 0, claims as a flat list}. Its first answer guards
-- everything that must happen once. Safe to run twice: an ended task is left as it is.

local lease_ms, id, number = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local status, retention_ms = ARGV[4], tonumber(ARGV[5])
local task = hash(redis.call('HGETALL', task_key(id)))

local may_end = task.status == 'in_progress'
  or (status == 'failed' and (task.status == 'sending' or task.status == 'unknown'))
if task.claim ~= number or not may_end then return {0, {}} end

local fields = {}
for i = 6, #ARGV do fields[i - 5] = ARGV[i] end
local now = now_ms()
finish(id, task, status, now, retention_ms, fields)

-- Two, because what ended freed a slot of an account and a place of a team, and the best task
-- for the one need not be the best for the other.
return {1, claim_next(2, now, lease_ms)}
