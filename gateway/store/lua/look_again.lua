-- A look found the task still running, or found nothing: say when to look again.
--
-- ARGV  rules, task id, claim number, ms until the next look, 1 if the vendor knows no such task
--       else 0
-- Returns {how often in a row the vendor knew no such task, ms since the first of these}; both 0
-- when it knew it, or when the task has ended meanwhile. Run twice it may count one "no such
-- task" twice; the time that must also pass keeps that harmless.

local id, number, delay_ms, missing = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local task = read_task(id)

if task.claim ~= number or task.status ~= 'in_progress' then return {0, 0} end

local now = clock_ms()
redis.call('ZADD', key('due'), now + delay_ms, id)
if not missing then
  redis.call('HDEL', task_key(id), 'missing', 'missing_since')
  return {0, 0}
end
redis.call('HSETNX', task_key(id), 'missing_since', now)
local times = redis.call('HINCRBY', task_key(id), 'missing', 1)
return {times, now - tonumber(redis.call('HGET', task_key(id), 'missing_since'))}
