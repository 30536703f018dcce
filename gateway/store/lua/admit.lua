-- Let a request in as a task: (nothing) -> queued, and on to claimed when a slot is free.
--
-- ARGV  lease of a claim in ms, task id, then the record's fields and values
--       (team and class among them)
-- Returns {the record as a flat list, claims as a flat list (see claim_next)}.
--
-- Safe to run twice: the caller makes the id, so a task that is there already is the caller's own,
-- whose first answer was lost. It gets the task's claim again; claims of other tasks that were
-- lost with the answer go back to their place when their lease runs out.
--
-- The task joins the queue first and the best queued one is claimed, whoever that is: so nobody
-- overtakes, and a slot that was free while older work waited is taken by that.

local lease_ms, id = tonumber(ARGV[1]), ARGV[2]

local known = hash(redis.call('HGETALL', task_key(id)))
if known.status then
  local own = known.status == 'claimed' and {id, tonumber(known.claim), known.account} or {}
  return {redis.call('HGETALL', task_key(id)), own}
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
