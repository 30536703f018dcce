-- Take tasks that are due for a look, so that no other process looks at them meanwhile.
--
-- ARGV  rules, the most to take
-- Returns {ms until the next one is due (-1 for none), then for each one taken: id, claim number,
-- account, API key id, provider task id, class, provider, form, ms since the vendor accepted it,
-- 1 if work waits that could take its slot else 0}.
-- Safe to run twice: a second look at the vendor costs a request and changes nothing.

local rules, most = cjson.decode(ARGV[1]), tonumber(ARGV[2])
local now = clock_ms()
local due = redis.call('ZRANGEBYSCORE', key('due'), '-inf', now, 'LIMIT', 0, most)
local taken = {}

-- Of each model and provider, whether a class waits that it could serve.
local work_waits = {}
for _, class in ipairs(#due > 0 and redis.call('SMEMBERS', key('classes')) or {}) do
  local model, providers = split_class(class)
  for _, provider in ipairs(providers) do work_waits[model .. '@' .. provider] = true end
end

for _, id in ipairs(due) do
  local task = read_task(id)
  if task.status == 'in_progress' then
    redis.call('ZADD', key('due'), now + rules.look_lease_ms, id)
    redis.call('HINCRBY', task_key(id), 'looks', 1)
    taken[#taken + 1] = {id, task.claim, task.account, task.api_key_id, task.provider_task_id,
      task.class, task.provider, task.form, now - tonumber(task.running_since),
      work_waits[split_class(task.class) .. '@' .. task.provider] and 1 or 0}
  else
    redis.call('ZREM', key('due'), id)
  end
end

local next_due = redis.call('ZRANGE', key('due'), 0, 0, 'WITHSCORES')
return {next_due[2] and math.max(0, tonumber(next_due[2]) - now) or -1, unpack(taken)}
