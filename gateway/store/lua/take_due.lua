-- Take tasks that are due for a look, so that no other process looks at them meanwhile.
--
-- ARGV  rules, the most to take
-- Returns {ms until the next one is due (-1 for none), then for each one taken: id, claim number,
-- account, API key id, provider task id, class, ms since the vendor accepted it}.
-- Safe to run twice: a second look at the vendor costs a request and changes nothing.

local rules, most = cjson.decode(ARGV[1]), tonumber(ARGV[2])
local now = clock_ms()
local due = redis.call('ZRANGEBYSCORE', key('due'), '-inf', now, 'LIMIT', 0, most)
local taken = {}

for _, id in ipairs(due) do
  local task = read_task(id)
  if task.status == 'in_progress' then
    redis.call('ZADD', key('due'), now + rules.look_lease_ms, id)
    redis.call('HINCRBY', task_key(id), 'looks', 1)
    taken[#taken + 1] = {id, task.claim, task.account, task.api_key_id, task.provider_task_id,
      task.class, now - tonumber(task.running_since)}
  else
    redis.call('ZREM', key('due'), id)
  end
end

local next_due = redis.call('ZRANGE', key('due'), 0, 0, 'WITHSCORES')
return {next_due[2] and math.max(0, tonumber(next_due[2]) - now) or -1, unpack(taken)}
