-- claimed -> sending, just before the bytes leave. From here nothing is ever sent again by itself.
--
-- ARGV  task id, claim number, API key id, ms after which the answer counts as lost
-- Returns 1 if the caller may send, 0 if the claim is no longer good (it ran out and was taken
-- back, or another process has it). Safe to run twice: the second run says 1 again.

local id, number, api_key_id, lease_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local task = hash(redis.call('HGETALL', task_key(id)))

if task.claim ~= number then return 0 end
if task.status == 'sending' then return 1 end
if task.status ~= 'claimed' then return 0 end

redis.call('HSET', task_key(id), 'status', 'sending', 'api_key_id', api_key_id)
redis.call('ZADD', key('leases'), now_ms() + lease_ms, id)
return 1
