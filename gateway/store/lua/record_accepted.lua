-- sending | unknown -> in_progress: the vendor has the task. A late answer is taken in as well.
--
-- ARGV  rules, task id, claim number, provider task id, served model ('' if not said), ms to the
--       first look
-- Returns {1 if the record now says so, 0 if the claim is no longer good; claims as a flat list}.
-- Safe to run twice, also when a look has ended the task between the two: the record has the
-- vendor's id. What was on the way no longer is, so the lane may take another submit.

local rules, id, number = cjson.decode(ARGV[1]), ARGV[2], ARGV[3]
local provider_task_id, model, first_look_ms = ARGV[4], ARGV[5], tonumber(ARGV[6])
local task = read_task(id)

if task.claim ~= number then return {0, {}} end
if task.provider_task_id == provider_task_id then return {1, {}} end
if task.status ~= 'sending' and task.status ~= 'unknown' then return {0, {}} end

local now = clock_ms()
redis.call('HSET', task_key(id), 'status', 'in_progress', 'submitted_ms', wall_ms(),
  'running_since', now, 'provider_task_id', provider_task_id, 'served_model', model)
write_step(id, 'in_progress', provider_task_id, rules)
redis.call('SREM', lane_key('transit', task), id)
redis.call('SREM', lane_key('unknown', task), id)
redis.call('ZREM', key('leases'), id)
redis.call('ZADD', key('due'), now + first_look_ms, id)
drop_images(id, task)
heard(task)
absolve(task, rules)
return {1, claim_next(2, now, rules)}
