-- claimed -> sending, just before the bytes leave. From here nothing is ever sent again by itself.
--
-- ARGV  rules, task id, claim number, API key id
-- Returns 1 if the caller may send, 0 if the claim is no longer good (it ran out and was taken
-- back, another process has it, or the task was cancelled). Safe to run twice: the second run says
-- 1 again.

local rules, id, number, api_key_id = cjson.decode(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local task = read_task(id)

if task.claim ~= number then return 0 end
if task.status == 'sending' then return 1 end
if task.status ~= 'claimed' then return 0 end

local now = clock_ms()
redis.call('HSET', task_key(id), 'status', 'sending', 'api_key_id', api_key_id, 'sent_at', now)
redis.call('HDEL', task_key(id), 'drops')
write_step(id, 'sending', api_key_id, rules)
redis.call('ZADD', key('leases'), now + rules.sending_lease_ms, id)
return 1
