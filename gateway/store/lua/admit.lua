-- Let a request in as a task: (nothing) -> queued, and on to claimed when a slot is free.
--
-- ARGV  lease of a claim in ms, task id, then the record's fields and values
--       (team and class among them)
-- Returns {the record as a flat list, claims as a flat list (see claim_next)}.
--
-- Safe to run twice: the caller makes the id, so a task that is there already is the caller's own,
-- whose first answer was lost. It is only read: by now another process may hold its claim, and a
-- claim must never be in two hands. One that was lost with the answer runs out, and the task goes
-- back to its place.
--
-- The task joins the queue first and the best queued one is claimed, whoever that is: so nobody
-- overtakes, and a slot that was free while older work waited is taken by that.

local lease_ms, id = tonumber(ARGV[1]), ARGV[2]

if redis.call('EXISTS', task_key(id)) == 1 then
  return {redis.call('HGETALL', task_key(id)), {}}
end

local now = now_ms()
local fields = {}
for i = 3, #ARGV do fields[i - 2] = ARGV[i] end
local task = hash(fields)
local order = redis.call('INCR', key('order'))

redis.call('HSET', task_key(id), 'status', 'queued', 'created_ms', now, 'order', order,
  'claim', 0, 'looks', 0, unpack(fields))
redis.call('PERSIST', key('images', id))
enqueue(id, task.class, task.team, order)

-- Two, so that older work that nothing has woken yet does not cost this one its free slot.
local claims = claim_next(2, now, lease_ms)
return {redis.call('HGETALL', task_key(id)), claims}
