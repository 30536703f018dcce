-- A look found the task still running, or found nothing: say when to look again.
--
-- ARGV  rules, task id, claim number, ms until the next look, 1 if the vendor knows no such task
--       else 0, age in ms at which the vendor said that it runs ('' if he did not)
-- Returns {how often in a row the vendor knew no such task, ms since the first of these}; both 0
-- when it knew it, or when the task has ended meanwhile. Run twice it may count one "no such
-- task" twice; the time that must also pass keeps that harmless.

local id, number, delay_ms, missing = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local running_ms = tonumber(ARGV[6])
local task = read_task(id)

if task.claim ~= number or task.status ~= 'in_progress' then return {0, 0} end

local now = clock_ms()
redis.call('ZADD', key('due'), now + delay_ms, id)
-- The answer to an older look may come in last.
if running_ms and running_ms > tonumber(task.running_ms or 0) then
  redis.call('HSET', task_key(id), 'running_ms', running_ms)
end
if not missing then
  redis.call('HDEL', task_key(id), 'missing', 'missing_since')
  return {0, 0}
end
redis.call('HSETNX', task_key(id), 'missing_since', now)
local times = redis.call('HINCRBY', task_key(id), 'missing', 1)
return {times, now - tonumber(redis.call('HGET', task_key(id), 'missing_since'))}
