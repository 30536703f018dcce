-- sending -> unknown: the submit's answer was lost. The slot stays, for a long hold.
--
-- ARGV  task id, claim number, hold in ms, reason
-- Returns 1 if the record now says so, 0 if the claim is no longer good. Safe to run twice.

local id, number, hold_ms, reason = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local task = hash(redis.call('HGETALL', task_key(id)))

if task.claim ~= number then return 0 end
if task.status == 'unknown' then return 1 end
if task.status ~= 'sending' then return 0 end

redis.call('HSET', task_key(id), 'status', 'unknown', 'last_reason', reason)
redis.call('ZADD', key('leases'), now_ms() + hold_ms, id)
redis.call('DEL', key('images', id))
return 1
