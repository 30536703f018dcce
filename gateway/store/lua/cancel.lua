-- A caller wants a task no more.
--
--   queued | claimed                  -> cancelled   nothing was sent: it costs nothing
--   sending | unknown | in_progress   a mark only: the vendor may be at it and cannot be stopped,
--                                     so its slot stays and its end is settled as usual
--
-- ARGV  rules, task id
-- Returns {record as a flat list ({} if there is none), claims as a flat list: whom a freed slot
-- went to}. Safe to run twice: what is marked or ended is left as it is.

local rules, id = cjson.decode(ARGV[1]), ARGV[2]
local task = read_task(id)
local claims = {}

if task.status == 'queued' or task.status == 'claimed' then
  finish(id, task, 'cancelled', 'free', {'cancel_asked_ms', wall_ms()}, rules)
  if task.status == 'claimed' then claims = claim_next(2, clock_ms(), rules) end
elseif task.status == 'sending' or task.status == 'unknown' or task.status == 'in_progress' then
  redis.call('HSETNX', task_key(id), 'cancel_asked_ms', wall_ms())
  tell('changed', id)
end
return {redis.call('HGETALL', task_key(id)), claims}
