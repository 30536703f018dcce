-- A caller wants a task no more.
--
--   queued | claimed                  -> cancelled   nothing was sent: it costs nothing
--   sending | unknown | in_progress   a mark only: the vendor may be at it and cannot be stopped,
--                                     so its slot stays and its end is settled as usual
--
-- ARGV  rules, task id
-- Returns {record as a flat list ({} if there is none), claims as a flat list: whom a freed slot
-- went to; what ended (see `ended`), 1 if this run marked it else 0}. Safe to run twice: what is marked or ended is left as it is.

local rules, id = cjson.decode(ARGV[1]), ARGV[2]
local task = read_task(id)
local claims, marked = {}, 0

if task.status == 'queued' or task.status == 'claimed' then
  finish(id, task, 'cancelled', 'free', {'cancel_asked_ms', wall_ms()}, rules)
  if task.status == 'claimed' then claims = claim_next(2, clock_ms(), rules) end
elseif task.status == 'sending' or task.status == 'unknown' or task.status == 'in_progress' then
  if redis.call('HSETNX', task_key(id), 'cancel_asked_ms', wall_ms()) == 1 then
    marked = 1
    write_step(id, 'cancel_asked', '', rules)
  end
  tell('changed', id)
end
return {redis.call('HGETALL', task_key(id)), claims, ended(), marked}
