-- Let a request in as a task: (nothing) -> queued, and on to claimed when a slot is free.
--
-- ARGV  rules, task id, terms as JSON {"key": digest of the idempotency key ('' for none),
--       "body": digest of the request, "only_if_free": bool, "queue_timeout_ms": n,
--       "images": bytes of its images, "bytes": what it takes in all, "tasks_most",
--       "team_tasks_most", "bytes_most", "team_bytes_most": bounds of the queue,
--       "budgets": [[holder, period, cap in fen]], "rates": [[holder, submits a minute]],
--       "period_ends": [[period, Unix ms at which it is over]]},
--       then the record's fields and values (team, class, key_id, price_fen, periods among them)
-- Returns {word, id, record as a flat list, claims as a flat list (see claim_next), place (see
-- place; empty unless it waits or would have to), money}. The last is, where it is admitted,
-- {what the tightest budget has left ('' without any), places of the budgets to tell of now}; and
-- where a budget or a rate refuses it, {place of that, fen taken of it or ms to wait}. The words:
--   admitted     the task is there, queued or claimed
--   replayed     the idempotency key had made a task before; id and record are that task's
--   other_body   the idempotency key had been used with another request; nothing was made
--   full         it would have to wait, and the queue is full; nothing was made
--   no_slot      it would have to wait for a slot, and does not want to; nothing was made
--   no_images    its images are gone already; nothing was made
--   over_budget  a budget has no room for its price; nothing was made
--   too_fast     a rate of submits is used up for the moment; nothing was made
--
-- Safe to run twice: the caller makes the id, so a task that is there already is the caller's own,
-- whose first answer was lost. It is only read: by now another process may hold its claim, and a
-- claim must never be in two hands. One that was lost with the answer runs out, and the task goes
-- back to its place.
--
-- The task joins the queue first and the best queued one is claimed, whoever that is: so there is
-- one way into a slot, and a slot that was free while other work waited is taken by that.

local rules, id, terms = cjson.decode(ARGV[1]), ARGV[2], cjson.decode(ARGV[3])

if redis.call('EXISTS', task_key(id)) == 1 then
  -- Its images were put there once more, with a lifetime. They are kept as long as the first were.
  local waits = redis.call('HEXISTS', task_key(id), 'bytes') == 1
  redis.call(waits and 'PERSIST' or 'DEL', key('images', id))
  return {'admitted', id, redis.call('HGETALL', task_key(id)), {}, {}, {left_of(terms.budgets) or ''}}
end

local task = {}
for i = 4, #ARGV, 2 do task[ARGV[i]] = ARGV[i + 1] end
local remembered = key('idempotency', task.team, terms.key)

if terms.key ~= '' then
  local first, body = (redis.call('GET', remembered) or ''):match('^(%S+) (%S+)$')
  local record = first and redis.call('HGETALL', task_key(first)) or {}
  if #record > 0 then
    redis.call('DEL', key('images', id))
    return {body == terms.body and 'replayed' or 'other_body', first, record, {}, {},
      {left_of(terms.budgets) or ''}}
  end
end
if terms.images > 0 and redis.call('EXISTS', key('images', id)) == 0 then
  return {'no_images', id, {}, {}, {}, {}}
end

local now = clock_ms()
local which, ms = ms_too_early(terms.rates, now)
local exceeded, taken = first_exceeded(terms.budgets, tonumber(task.price_fen))
if which or exceeded then
  redis.call('DEL', key('images', id))
  if which then return {'too_fast', id, {}, {}, {}, {which, ms}} end
  return {'over_budget', id, {}, {}, {}, {exceeded, taken}}
end
for _, period in ipairs(terms.period_ends) do
  redis.call('ZADD', key('periods'), period[2], period[1])
end
reserve(task)
task.order = redis.call('INCR', key('order'))
task.deadline = now + terms.queue_timeout_ms
redis.call('HSET', task_key(id), 'status', 'queued', 'created_ms', wall_ms(), 'claim', 0,
  'looks', 0, 'order', task.order, 'deadline', task.deadline, 'bytes', terms.bytes,
  unpack(ARGV, 4))
redis.call('PERSIST', key('images', id))
hold_bytes(task.team, terms.bytes)
redis.call('ZADD', key('tasks', task.team), task.order, id)
write_step(id, 'queued', '', rules)
enqueue(id, task)

-- Two, so that older work that nothing has woken yet does not cost this one its free slot.
local claims = claim_next(2, now, rules)

local refused, stands = nil, {}
if redis.call('HGET', task_key(id), 'status') == 'queued' then
  stands = place(task.class, task.team, task.order, now, rules)

  local team_tasks, bytes = 0, 0
  for _, class in ipairs(redis.call('SMEMBERS', key('classes'))) do
    team_tasks = team_tasks + redis.call('ZCARD', key('queue', class, task.team))
  end
  for _, held in ipairs(redis.call('HVALS', key('bytes'))) do bytes = bytes + held end
  -- It may wait for a moment all the same: until what is on the way is answered.
  local position, in_team, _, free_slots, _, places = unpack(stands)
  if terms.only_if_free and (position > free_slots or in_team > places) then
    refused = 'no_slot'
  elseif redis.call('ZCARD', key('deadlines')) > terms.tasks_most
      or team_tasks > terms.team_tasks_most
      or bytes > terms.bytes_most
      or tonumber(redis.call('HGET', key('bytes'), task.team)) > terms.team_bytes_most then
    refused = 'full'
  end
end

if refused then
  task.bytes = terms.bytes
  settle_money(task, false)
  dequeue(id, task)
  drop_images(id, task)
  redis.call('DEL', task_key(id), key('steps', id))
  redis.call('ZREM', key('tasks', task.team), id)
  return {refused, id, {}, claims, stands, {}}
end
take_rate(terms.rates, now)
if terms.key ~= '' then
  redis.call('SET', remembered, id .. ' ' .. terms.body)
  redis.call('ZADD', key('remembered'), now + rules.idempotency_ms, task.team .. ':' .. terms.key)
end
return {'admitted', id, redis.call('HGETALL', task_key(id)), claims, stands,
  {left_of(terms.budgets) or '', unpack(alarming(terms.budgets))}}
