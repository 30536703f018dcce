-- sending | unknown -> in_progress: the vendor has the task. A late answer is taken in as well.
--
-- ARGV  task id, claim number, provider task id, served model ('' if not said), ms to first look
-- Returns 1 if the record now says so, 0 if the claim is no longer good. Safe to run twice.

local id, number, provider_task_id = ARGV[1], ARGV[2], ARGV[3]
local model, first_look_ms = ARGV[4], tonumber(ARGV[5])
local task = hash(redis.call('HGETALL', task_key(id)))

if task.claim ~= number then return 0 end
if task.status == 'in_progress' and task.provider_task_id == provider_task_id then return 1 end
if task.status ~= 'sending' and task.status ~= 'unknown' then return 0 end

local now = now_ms()
redis.call('HSET', task_key(id), 'status', 'in_progress', 'submitted_ms', now,
  'provider_task_id', provider_task_id, 'served_model', model)
redis.call('ZREM', key('leases'), id)
redis.call('ZADD', key('due'), now + first_look_ms, id)
redis.call('DEL', key('images', id))
return 1
