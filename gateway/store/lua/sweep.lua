-- Move on what a process left behind: leases that ran out.
--
--   claimed  -> queued    nothing was sent; back to its old place
--   sending  -> unknown   something may have been sent; a long hold starts
--   unknown  -> failed    the hold is over; the outcome stays unknown for good
--
-- ARGV  lease of a claim in ms, hold of an unknown outcome in ms, ms that an ended record is
--       kept, the most to move, error code and message for those given up
-- Returns {requeued ids, unknown ids, given up ids, claims as a flat list}.
-- Safe to run twice, and by any number of processes: each move is decided by the record.

local lease_ms, hold_ms, retention_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local most, code, message = tonumber(ARGV[4]), ARGV[5], ARGV[6]
local now = now_ms()
local requeued, unknown, given_up = {}, {}, {}

local over = redis.call('ZRANGEBYSCORE', key('leases'), '-inf', now, 'LIMIT', 0, most)
for _, id in ipairs(over) do
  local task = hash(redis.call('HGETALL', task_key(id)))
  if task.status == 'claimed' then
    requeue(id, task)
    requeued[#requeued + 1] = id
  elseif task.status == 'sending' then
    redis.call('HSET', task_key(id), 'status', 'unknown', 'last_reason', 'no answer was recorded')
    redis.call('ZADD', key('leases'), now + hold_ms, id)
    redis.call('DEL', key('images', id))
    unknown[#unknown + 1] = id
  elseif task.status == 'unknown' then
    finish(id, task, 'failed', now, retention_ms, {'error_code', code, 'error_message', message})
    given_up[#given_up + 1] = id
  else
    redis.call('ZREM', key('leases'), id)
  end
end

return {requeued, unknown, given_up, claim_next(#requeued + #given_up, now, lease_ms)}
