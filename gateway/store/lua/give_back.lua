-- claimed | sending -> queued, at its old place: the vendor surely does not have the task.
-- One that was to be cancelled meanwhile ends instead: -> cancelled.
--
-- ARGV  rules, task id, claim number, reason, 1 if the vendor answered else 0,
--       the cause ('' for nobody's fault; see `blame`), for how many ms to leave alone what is to
--       blame at first, the most to claim with the freed slot
-- Returns {claims as a flat list: whom the freed slot went to; what ended (see `ended`)}. Safe to run
-- twice: the second run finds another status or number and does nothing.

local rules, id, number, reason = cjson.decode(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local answered, cause, rest_ms, most = ARGV[5] == '1', ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local task = read_task(id)

if task.claim ~= number then return {{}, {}} end
if task.status ~= 'claimed' and task.status ~= 'sending' then return {{}, {}} end

local now = clock_ms()
if cause ~= '' then blame(task, cause, rest_ms, reason, now, rules) end
if answered then heard(task) end
redis.call('HSET', task_key(id), 'last_reason', reason)
if task.cancel_asked_ms then
  finish(id, task, 'cancelled', 'free', {}, rules)
else
  requeue(id, task, reason, rules)
end
return {claim_next(most, now, rules), ended()}
