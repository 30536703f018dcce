-- Move on what a process left behind, and what has waited long enough:
--
--   claimed, its lease over   -> queued    nothing was sent; back to its old place
--                             -> failed    that happened too often in a row: it may be what kills
--                                          the processes that take it
--   sending, its lease over   -> unknown   something may have been sent; a long hold starts
--   unknown, its hold over    -> failed    the outcome stays unknown for good
--   queued past its deadline  -> failed
--
-- and forget the idempotency keys and the ended tasks whose time is over.
--
-- ARGV  rules, the most of each to move, JSON {"unknown": fields, "poison": fields, "timeout":
--       fields}: what to remember of those that failed, as flat lists
-- Returns {ids requeued, unknown, given up, poisoned, timed out; claims as a flat list; what ended
-- (see `ended`)}.
-- Safe to run twice, and by any number of processes: each move is decided by the record.

local rules, most, fields = cjson.decode(ARGV[1]), tonumber(ARGV[2]), cjson.decode(ARGV[3])
local now = clock_ms()
local requeued, unknown, given_up, poisoned, timed_out = {}, {}, {}, {}, {}

local function over(zset) return redis.call('ZRANGEBYSCORE', key(zset), '-inf', now, 'LIMIT', 0, most) end

for _, id in ipairs(over('leases')) do
  local task = read_task(id)
  if task.status == 'claimed' then
    if redis.call('HINCRBY', task_key(id), 'drops', 1) > rules.poison_claims then
      finish(id, task, 'failed', 'free', fields.poison, rules)
      poisoned[#poisoned + 1] = id
    else
      requeue(id, task, 'its claim ran out', rules)
      requeued[#requeued + 1] = id
    end
  elseif task.status == 'sending' then
    lose(id, task, 'no answer was recorded', now, rules)
    unknown[#unknown + 1] = id
  elseif task.status == 'unknown' then
    finish(id, task, 'failed', 'unknown', fields.unknown, rules)
    given_up[#given_up + 1] = id
  else
    redis.call('ZREM', key('leases'), id)
  end
end

for _, id in ipairs(over('deadlines')) do
  local task = read_task(id)
  if task.status == 'queued' then
    finish(id, task, 'failed', 'free', fields.timeout, rules)
    timed_out[#timed_out + 1] = id
  else
    redis.call('ZREM', key('deadlines'), id)
  end
end

for _, name in ipairs(over('remembered')) do
  redis.call('DEL', key('idempotency', name))
  redis.call('ZREM', key('remembered'), name)
end

-- Ends come in bursts, and to forget one is little work.
for _, name in ipairs(redis.call('ZRANGEBYSCORE', key('ended'), '-inf', now, 'LIMIT', 0, 10 * most)) do
  forget(name:match('^(%S+) (%S+)$'))
end

local freed = #requeued + #given_up + #poisoned
return {requeued, unknown, given_up, poisoned, timed_out, claim_next(freed, now, rules), ended()}
