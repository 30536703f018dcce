-- Accounts and their lanes ------------------------------------------------------------------

-- A lane is what a vendor limits: an account and a model. These are its sets of task ids:
-- `slots` has all that hold a slot there, `transit` those of them that are claimed or sending,
-- `unknown` those whose submit's answer was lost.
local function lane_key(what, task)
  return key(what, task.account, (split_class(task.class)))
end

-- What is known of a lane, as lanes.py writes it: how many tasks may be in flight, how many of them
-- may be unknown, the account's weight, its rank (the smaller goes first), and what a video costs
-- us there in fen (nil where nobody said).
local function read_lane(account, text)
  local limit, unknown_cap, weight, rank, cost = text:match('^(%S+) (%S+) (%S+) (%S+) (%S+)$')
  return {account = account, limit = tonumber(limit), unknown_cap = tonumber(unknown_cap),
    weight = tonumber(weight), rank = tonumber(rank), cost = tonumber(cost)}
end

-- nil for an account that is there no more.
local function lane_of(account, provider, model)
  local text = redis.call('HGET', key('lanes', provider, model), account)
  return text and read_lane(account, text)
end

-- The lanes of a provider's accounts for a model; read once a run.
local LANES = {}
local function lanes_at(provider, model)
  local name = key('lanes', provider, model)
  if not LANES[name] then
    LANES[name] = {}
    for account, text in pairs(all_of('lanes', provider, model)) do
      table.insert(LANES[name], read_lane(account, text))
    end
  end
  return LANES[name]
end

-- Rests -------------------------------------------------------------------------------------

-- What refused us is left alone for a while: 'account:<account>', 'account:<account>:<model>',
-- 'provider:<provider>:<model>' or 'key:<account>:<key id>'. Kept as '<until> <since> <how often
-- in a row> <trial> <cause> <reason>'. Once the time is over, most are tried with one task at a time:
-- `trial` is that one, as '<task id>/<claim number>', or '-' before there is one. A task that is
-- accepted ends the rest; a refusal makes the next one longer. Some are simply over: 'open'.
local function rest_of(name)
  local text = all_of('rests')[name]
  if not text then return nil end
  local ends, since, times, trial, cause, reason =
    text:match('^(%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  return {ends = tonumber(ends), since = tonumber(since), times = tonumber(times), trial = trial,
    cause = cause, reason = reason}
end

local function put_rest(name, rest)
  local text = rest and string.format('%d %d %d %s %s %s', rest.ends, rest.since, rest.times,
    rest.trial, rest.cause, rest.reason)
  all_of('rests')[name] = text
  if text then redis.call('HSET', key('rests'), name, text)
  else redis.call('HDEL', key('rests'), name) end
end

local function on_the_way(trial)
  local id, number = trial:match('^(.*)/(%d+)$')
  if not id then return false end
  local task = redis.call('HMGET', task_key(id), 'status', 'claim')
  return task[2] == number and (task[1] == 'claimed' or task[1] == 'sending')
end

-- Whether this may not have a task now.
local function blocked(name, now)
  local rest = rest_of(name)
  return rest and (now < rest.ends or on_the_way(rest.trial))
end

-- What a task on a lane depends on, beside its key.
local function names_of(account, provider, model)
  return {'account:' .. account, 'account:' .. account .. ':' .. model,
    'provider:' .. provider .. ':' .. model}
end

local function key_name(account, key_id) return 'key:' .. account .. ':' .. key_id end

-- A rest is never cut short by a lesser cause that is met meanwhile. Each refusal in a row makes it
-- longer, as long as the cause is the same.
local function leave_alone(name, base_ms, trial, cause, reason, now, rules)
  local rest, times, since = rest_of(name), 0, now
  if rest and rest.cause == cause and (now < rest.ends or rest.trial ~= 'open') then
    since = rest.since
    times = now < rest.ends and rest.times or rest.times + 1
  end
  local ends = now + math.floor(base_ms * math.min(2 ^ times, rules.rest_growth))
  if rest and rest.ends >= ends then return end
  put_rest(name, {ends = ends, since = since, times = times, trial = trial, cause = cause,
    reason = reason})
end

-- Ends whatever an account is left alone for: somebody changed it, and should not have to wait.
local function end_rests(account)
  for name in pairs(all_of('rests')) do
    local kind, rest = name:match('^(%w+):(.*)$')
    if kind ~= 'provider' and (rest .. ':'):sub(1, #account + 1) == account .. ':' then
      put_rest(name, nil)
    end
  end
  for name in pairs(all_of('effective')) do
    if name:match('^(.*):') == account then redis.call('HDEL', key('effective'), name) end
  end
  for name in (redis.call('HGET', key('lanes_of'), account) or ''):gmatch('%S+') do
    redis.call('DEL', key('breaker', account, name:match(':(.*)$')))
  end
end

-- Effective limits --------------------------------------------------------------------------

-- A vendor that refuses for concurrency below our own count has less room than the lane says:
-- somebody else uses the account, or it is a peak hour. Such a lane's effective limit is kept as
-- '<limit> <tasks accepted since the last refusal> <time of that refusal> <reason>'.
local function effective_of(account, model)
  local text = all_of('effective')[account .. ':' .. model]
  if not text then return nil end
  local limit, accepted, refused_at, reason = text:match('^(%S+) (%S+) (%S+) (.*)$')
  return {limit = tonumber(limit), accepted = tonumber(accepted),
    refused_at = tonumber(refused_at), reason = reason}
end

local function put_effective(account, model, known)
  local name = account .. ':' .. model
  local text = known and string.format('%d %d %d %s', known.limit, known.accepted,
    known.refused_at, known.reason)
  all_of('effective')[name] = text
  if text then redis.call('HSET', key('effective'), name, text)
  else redis.call('HDEL', key('effective'), name) end
end

-- Refused with `used` others in slots of the lane: so many it has room for, and one at least.
local function lower_limit(lane, model, used, reason, now)
  local known = effective_of(lane.account, model)
  local limit = math.max(1, math.min(known and known.limit or lane.limit, used))
  put_effective(lane.account, model, limit < lane.limit
    and {limit = limit, accepted = 0, refused_at = now, reason = reason} or nil)
end

-- Accepted, with `used` in slots of the lane, this one included: so many at least it has room for.
local function raise_limit(lane, model, used)
  local known = effective_of(lane.account, model)
  if not known then return end
  known.limit = math.max(known.limit, used)
  known.accepted = known.accepted + 1
  put_effective(lane.account, model, known.limit < lane.limit and known or nil)
end

-- How many tasks may be in flight on a lane that has `used`. When enough were accepted, or enough
-- time has passed, one more than the effective limit is tried; each that is accepted raises it.
local function limit_now(lane, model, used, now, rules)
  local known = effective_of(lane.account, model)
  if not known or known.limit >= lane.limit then return lane.limit end
  if used == known.limit and redis.call('SCARD', key('transit', lane.account, model)) == 0
      and (known.accepted >= rules.probe_submits or now - known.refused_at >= rules.probe_ms) then
    return known.limit + 1
  end
  return known.limit
end

-- Causes ------------------------------------------------------------------------------------

-- A model that a vendor calls overloaded is tried again by as many tasks as there were, as long as
-- accepted ones have paid for it: `rest_budget` refusals, and a tenth more for each that is accepted.
-- Then one at a time. Kept as what is left; not at all while nothing is missing.
local function spend(name, rules)
  local left = tonumber(redis.call('HGET', key('budgets'), name) or rules.rest_budget)
  redis.call('HSET', key('budgets'), name, string.format('%.1f', math.max(0, left - 1)))
  return left >= 1
end

local function earn(name, rules)
  local left = tonumber(redis.call('HGET', key('budgets'), name) or rules.rest_budget) + 0.1
  if left >= rules.rest_budget then redis.call('HDEL', key('budgets'), name)
  else redis.call('HSET', key('budgets'), name, string.format('%.1f', left)) end
end

-- What went wrong at an account last, for people to read.
local function note_trouble(account, reason)
  if redis.call('HEXISTS', key('lanes_of'), account) == 0 then return end
  redis.call('HSET', key('troubles'), account, string.format('%d ', wall_ms()) .. reason)
end

-- A submit was refused, and this is why. The cause decides what is left alone (see `Rest` in
-- provider_answers.py), and `rest_ms` for how long at first.
local function blame(task, cause, rest_ms, reason, now, rules)
  local model = split_class(task.class)
  local account, lane, provider = unpack(names_of(task.account, task.provider, model))
  local known = lane_of(task.account, task.provider, model)
  note_trouble(task.account, reason)
  -- An account that is there no more has nothing to be left alone.
  if not known and cause ~= 'overload' then return end
  if cause == 'key' and task.api_key_id then
    leave_alone(key_name(task.account, task.api_key_id), rest_ms, '-', cause, reason, now, rules)
  elseif cause == 'overload' then
    local trial = spend(provider, rules) and 'open' or '-'
    leave_alone(provider, rest_ms, trial, cause, reason, now, rules)
  elseif cause == 'rate' then
    leave_alone(lane, rest_ms, '-', cause, reason, now, rules)
  elseif cause == 'concurrency' then
    local used = redis.call('SCARD', lane_key('slots', task)) - 1
    lower_limit(known, model, used, reason, now)
    leave_alone(lane, rest_ms, used > 0 and 'open' or '-', cause, reason, now, rules)
  else
    leave_alone(account, rest_ms, '-', cause, reason, now, rules)
  end
end

-- A submit was accepted: whatever was left alone when it was sent need not be any longer.
local function absolve(task, rules)
  local model = split_class(task.class)
  local names = names_of(task.account, task.provider, model)
  earn(names[3], rules)
  names[4] = key_name(task.account, task.api_key_id)
  for _, name in ipairs(names) do
    local rest = rest_of(name)
    if rest and tonumber(task.sent_at) >= rest.since then put_rest(name, nil) end
  end
  local lane = lane_of(task.account, task.provider, model)
  if lane then raise_limit(lane, model, redis.call('SCARD', lane_key('slots', task))) end
end

-- Changes of accounts -----------------------------------------------------------------------

-- Tells every process to read the accounts anew. A hint: they also look at the version by themselves.
local function tell_accounts_changed()
  tell('accounts', redis.call('INCR', key('accounts_version')))
end

-- How many slots an account's tasks hold, also for models that it may make no more.
local function held_by(account)
  local held = 0
  for _, model in ipairs(redis.call('SMEMBERS', key('made', account))) do
    held = held + redis.call('SCARD', key('slots', account, model))
  end
  return held
end

-- Whether the settings have an account of this name: that is the one in use.
local function is_of_settings(account)
  return redis.call('SISMEMBER', key('of_settings'), account) == 1
end

-- Takes an account out of the choice. Tasks in its slots are left to end.
local function drop_account(account)
  end_rests(account)
  for name in (redis.call('HGET', key('lanes_of'), account) or ''):gmatch('%S+') do
    redis.call('HDEL', key('lanes', name), account)
    local model = name:match(':(.*)$')
    redis.call('HDEL', key('turns'), account .. ':' .. model)
  end
  for id in (redis.call('HGET', key('keys'), account) or ''):gmatch('%S+') do
    redis.call('HDEL', key('turns'), key_name(account, id))
  end
  redis.call('HDEL', key('lanes_of'), account)
  redis.call('HDEL', key('keys'), account)
  redis.call('HDEL', key('troubles'), account)
end

-- Makes an account one to choose from, or changes it: `lanes` says by '<provider>:<model>' what
-- read_lane reads, `keys` the ids of its API keys. One that stays as it is keeps its rests.
local function put_account(account, lanes, keys)
  local same, named = redis.call('HGET', key('keys'), account) == keys, {}
  for name, text in pairs(lanes) do
    same = same and redis.call('HGET', key('lanes', name), account) == text
    named[#named + 1] = name
  end
  table.sort(named)
  local joined = table.concat(named, ' ')
  if same and redis.call('HGET', key('lanes_of'), account) == joined then return end

  drop_account(account)
  for name, text in pairs(lanes) do redis.call('HSET', key('lanes', name), account, text) end
  redis.call('HSET', key('lanes_of'), account, joined)
  redis.call('HSET', key('keys'), account, keys)
end

-- The choice --------------------------------------------------------------------------------

-- How many slots of a lane lost answers may take. What is on the way counts, because its answer
-- may be lost as well: so an outage that begins now cannot take more.
local function unknown_cap(provider, model, account)
  local lane = lane_of(account, provider, model)
  return lane and lane.unknown_cap or 1
end

-- Whether a lane may take one more submit. After several lost answers it waits (`trial_at`), then
-- goes on with one task at a time until one is answered; the same, without the wait, while
-- unknown outcomes hold as many slots as they may.
local function may_submit(lane, model, now)
  local transit = redis.call('SCARD', key('transit', lane.account, model))
  local unknown = redis.call('SCARD', key('unknown', lane.account, model))
  local trial_at = redis.call('HGET', key('breaker', lane.account, model), 'trial_at')
  if trial_at then return transit == 0 and now >= tonumber(trial_at) end
  if unknown >= lane.unknown_cap then return transit == 0 end
  return unknown + transit < lane.unknown_cap
end

-- When something had its turn last; what never had one goes first.
local function turn_of(name) return tonumber(redis.call('HGET', key('turns'), name) or 0) end

-- The API key of an account that was used longest ago, of those that are not left alone.
local function key_for(account, now)
  local best, best_turn
  for id in (all_of('keys')[account] or ''):gmatch('%S+') do
    local name = key_name(account, id)
    if not blocked(name, now) then
      local turn = turn_of(name)
      if not best or turn < best_turn then best, best_turn = id, turn end
    end
  end
  return best
end

-- Whether an account may have tasks of a model now, as far as its state, keys and rests go.
local function is_open(lane, model, now)
  if all_of('account_states')[lane.account] then return false end
  if not next(all_of('rests')) then return true end
  if blocked('account:' .. lane.account, now) then return false end
  if blocked('account:' .. lane.account .. ':' .. model, now) then return false end
  for id in (all_of('keys')[lane.account] or ''):gmatch('%S+') do
    if not blocked(key_name(lane.account, id), now) then return true end
  end
  return false
end

-- Whether one candidate goes before another: by rank, by the share of free slots, and in turn.
local function goes_first(one, other, model)
  if one.lane.rank ~= other.lane.rank then return one.lane.rank < other.lane.rank end
  if one.share ~= other.share then return one.share > other.share end
  local its, others = turn_of(one.lane.account .. ':' .. model), turn_of(other.lane.account .. ':' .. model)
  if its ~= others then return its < others end
  return one.lane.account < other.lane.account
end

-- Calls `visit` with every lane that could take a task of a class: the lane, its provider, and how
-- many slots are used there.
local function each_lane(class, now, visit)
  local model, providers = split_class(class)
  for _, provider in ipairs(providers) do
    if not blocked('provider:' .. provider .. ':' .. model, now) then
      for _, lane in ipairs(lanes_at(provider, model)) do
        visit(lane, provider, redis.call('SCARD', key('slots', lane.account, model)))
      end
    end
  end
end

-- The account to take a class's next task and its provider; nil when none may take a submit now.
-- Most lanes are full most of the time, so that is asked first.
local function roomiest(class, now, rules)
  local model, best = (split_class(class)), nil
  each_lane(class, now, function(lane, provider, used)
    if used >= lane.limit then return end
    local limit = limit_now(lane, model, used, now, rules)
    if used >= limit or not is_open(lane, model, now) then return end
    local candidate = {lane = lane, provider = provider,
      share = lane.weight * (limit - used) / limit}
    if (not best or goes_first(candidate, best, model)) and may_submit(lane, model, now) then
      best = candidate
    end
  end)
  return best and best.lane.account, best and best.provider
end

-- Of the accounts that are open to a class: how many slots there are, and how many of them are free
-- and wait for no trial; one such may still wait a moment for an answer to what is on the way (see
-- may_submit).
local function room_for(class, now, rules)
  local model, slots, free = (split_class(class)), 0, 0
  each_lane(class, now, function(lane, _, used)
    if not is_open(lane, model, now) then return end
    local limit = limit_now(lane, model, used, now, rules)
    slots = slots + limit
    if used < limit
        and redis.call('HEXISTS', key('breaker', lane.account, model), 'trial_at') == 0 then
      free = free + limit - used
    end
  end)
  return slots, free
end

-- A task is on its way to a lane with one of the account's keys: they have had their turn, and
-- where they are on trial, it is this.
local function take_turn(account, provider, model, key_id, trial)
  local turn, of_key = redis.call('INCR', key('turn')), key_name(account, key_id)
  redis.call('HSET', key('turns'), account .. ':' .. model, turn, of_key, turn)
  redis.call('SADD', key('made', account), model)
  local names = names_of(account, provider, model)
  names[4] = of_key
  for _, name in ipairs(names) do
    local rest = rest_of(name)
    if rest and rest.trial ~= 'open' then
      rest.trial = trial
      put_rest(name, rest)
    end
  end
end
