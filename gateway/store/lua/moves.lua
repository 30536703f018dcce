-- The queue ---------------------------------------------------------------------------------

-- Start-time fair queueing: a team's tag says how much it was given, divided by its weight, and
-- the team with the smallest goes first. `virtual` is the tag of the latest start: a team that
-- asked for nothing meanwhile does not save up for later, it joins there. Tags are whole numbers,
-- so that what is told of an order and what then happens are computed alike.
local function virtual_time() return tonumber(redis.call('GET', key('virtual')) or 0) end

-- What one task adds to its team's tag: a million for the weight of one.
local function step_of(team)
  return math.floor(1e6 / tonumber(redis.call('HGET', key('weights'), team) or 1) + 0.5)
end

local function charge(team, times)
  local tag = tonumber(redis.call('HGET', key('tags'), team) or 0)
  if times > 0 then
    tag = math.max(tag, virtual_time())
    redis.call('SET', key('virtual'), tag)
  end
  redis.call('HSET', key('tags'), team, tag + times * step_of(team))
end

local function enqueue(id, task)
  redis.call('ZADD', key('queue', task.class, task.team), task.order, id)
  redis.call('SADD', key('waiting', task.class), task.team)
  redis.call('SADD', key('classes'), task.class)
  redis.call('ZADD', key('deadlines'), task.deadline, id)
end

local function dequeue(id, task)
  redis.call('ZREM', key('queue', task.class, task.team), id)
  redis.call('ZREM', key('deadlines'), id)
  if redis.call('EXISTS', key('queue', task.class, task.team)) == 1 then return end
  redis.call('SREM', key('waiting', task.class), task.team)
  if redis.call('EXISTS', key('waiting', task.class)) == 0 then
    redis.call('SREM', key('classes'), task.class)
  end
end

-- The teams that wait in a class, in the order in which they are served: a list of
-- {team, tag, order of the first task}.
local function teams_in_order(class)
  local waiting, virtual = redis.call('SMEMBERS', key('waiting', class)), virtual_time()
  if #waiting == 0 then return {} end
  local tags, teams = redis.call('HMGET', key('tags'), unpack(waiting)), {}
  for i, team in ipairs(waiting) do
    local head = redis.call('ZRANGE', key('queue', class, team), 0, 0, 'WITHSCORES')
    teams[i] = {team = team, tag = math.max(tonumber(tags[i] or 0), virtual), id = head[1],
      order = tonumber(head[2])}
  end
  table.sort(teams, function(a, b)
    if a.tag ~= b.tag then return a.tag < b.tag end
    return a.order < b.order
  end)
  return teams
end

-- A team that is no longer in the settings still gets what it queued, one at a time.
local function cap_of(team) return tonumber(redis.call('HGET', key('caps'), team) or 1) end

local function free_places(team)
  return math.max(0, cap_of(team) - redis.call('SCARD', key('places', team)))
end

-- What a waiting task takes in the store: its request and its images.
local function hold_bytes(team, bytes) redis.call('HINCRBY', key('bytes'), team, bytes) end

-- The images go when the submit is over, or can no longer be.
local function drop_images(id, task)
  redis.call('DEL', key('images', id))
  if redis.call('HDEL', task_key(id), 'bytes') == 1 then hold_bytes(task.team, -task.bytes) end
end

-- Slots -------------------------------------------------------------------------------------

-- queued -> claimed. Takes the team's place and the account's slot together, under a new number.
-- Returns the claim: task id, number, account, id of the API key that is to be used.
local function claim(id, task, account, provider, now, rules)
  dequeue(id, task)
  charge(task.team, 1)
  task.account = account
  local key_id = key_for(account, now)
  redis.call('SADD', lane_key('slots', task), id)
  redis.call('SADD', lane_key('transit', task), id)
  redis.call('SADD', key('places', task.team), id)
  redis.call('ZADD', key('leases'), now + rules.claim_lease_ms, id)
  redis.call('HSET', task_key(id), 'status', 'claimed', 'account', account, 'provider', provider,
    'api_key_id', key_id)
  local number = redis.call('HINCRBY', task_key(id), 'claim', 1)
  write_step(id, 'claimed', account, rules)
  take_turn(account, provider, (split_class(task.class)), key_id, id .. '/' .. number)
  return {id, number, account, key_id}
end

-- Claims up to `most` tasks: over all classes that have a slot free somewhere, the first task of
-- the team that was given least. Returns the claims as a flat list, four parts each.
local function claim_next(most, now, rules)
  local claims = {}
  for _ = 1, most do
    local best
    for _, class in ipairs(redis.call('SMEMBERS', key('classes'))) do
      local account, provider = roomiest(class, now, rules)
      if account then
        for _, first in ipairs(teams_in_order(class)) do
          if best and (first.tag > best.tag
              or first.tag == best.tag and first.order > best.order) then break end
          if free_places(first.team) > 0 then
            best = first
            best.class, best.account, best.provider = class, account, provider
            break
          end
        end
      end
    end
    if not best then break end
    local made = claim(best.id, read_task(best.id), best.account, best.provider, now, rules)
    for _, part in ipairs(made) do claims[#claims + 1] = part end
  end
  return claims
end

-- Takes a task out of every set that a slot-holding task is in.
local function free(id, task)
  for _, set in ipairs({'slots', 'transit', 'unknown'}) do
    redis.call('SREM', lane_key(set, task), id)
  end
  redis.call('SREM', key('places', task.team), id)
  redis.call('ZREM', key('leases'), id)
  redis.call('ZREM', key('due'), id)
end

-- claimed | sending -> queued, at its old place. The slot is free, and it cost its team nothing.
local function requeue(id, task, reason, rules)
  free(id, task)
  charge(task.team, -1)
  redis.call('HSET', task_key(id), 'status', 'queued')
  redis.call('HDEL', task_key(id), 'account', 'provider', 'api_key_id', 'sent_at')
  write_step(id, 'queued', reason, rules)
  enqueue(id, task)
end

-- The ids of those that this run ended.
local ENDED = {}

-- What this run ended, for whoever counts: a list of {id, record as a flat list}.
local function ended()
  local records = {}
  for i, id in ipairs(ENDED) do records[i] = {id, redis.call('HGETALL', task_key(id))} end
  return records
end

-- any that has not ended -> completed | failed | cancelled. `fields` is a flat list of what to
-- remember. The ledger gets its one entry here and nowhere else: `outcome` is 'charged', 'free',
-- or 'unknown' where the vendor may have made what nobody saw. What a video costs is there as well:
-- its team (`price_fen`), and us at the vendor (`cost_fen`, empty where nobody said).
local function finish(id, task, status, outcome, fields, rules)
  local wall = wall_ms()
  if task.status == 'queued' then dequeue(id, task) else free(id, task) end
  drop_images(id, task)
  redis.call('HSET', task_key(id), 'status', status, 'ended_ms', wall, unpack(fields))
  write_step(id, status, hash(fields).error_code, rules)
  ENDED[#ENDED + 1] = id
  redis.call('ZADD', key('ended'), clock_ms() + rules.retention_ms, task.team .. ' ' .. id)
  local lane = task.account and lane_of(task.account, task.provider, (split_class(task.class)))
  settle_money(task, outcome == 'charged')
  write_ledger({task = id, team = task.team, key = task.key_id or '',
    model = (split_class(task.class)), form = task.form, provider = task.provider or '',
    account = task.account or '', claim = task.claim, provider_task = task.provider_task_id or '',
    status = status, outcome = outcome, price_fen = task.price_fen,
    cost_fen = lane and lane.cost or '', created_ms = task.created_ms, ended_ms = wall,
    periods = task.periods or ''}, wall)
  tell('ended', id)
end

-- Removes an ended task from the store, and from its team's list. The ledger keeps its entry.
local function forget(team, id)
  redis.call('DEL', task_key(id), key('steps', id))
  redis.call('ZREM', key('tasks', team), id)
  redis.call('ZREM', key('ended'), team .. ' ' .. id)
  tell('changed', id)
end

-- The breaker -------------------------------------------------------------------------------

-- sending -> unknown: the submit's answer was lost. The slot stays, for a long hold. Several in
-- a row, or as many unknown outcomes as the lane may have, and it is tried with one task at a
-- time: after a short pause, and after a long one once each try costs a slot beyond the cap.
local function lose(id, task, reason, now, rules)
  local model = split_class(task.class)
  redis.call('SMOVE', lane_key('transit', task), lane_key('unknown', task), id)
  redis.call('HSET', task_key(id), 'status', 'unknown', 'last_reason', reason)
  write_step(id, 'unknown', reason, rules)
  redis.call('ZADD', key('leases'), now + rules.unknown_hold_ms, id)
  note_trouble(task.account, reason)
  drop_images(id, task)
  local losses = redis.call('HINCRBY', lane_key('breaker', task), 'losses', 1)
  local unknown = redis.call('SCARD', lane_key('unknown', task))
  local cap = unknown_cap(task.provider, model, task.account)
  if losses >= rules.breaker_losses or unknown >= cap then
    local pause_ms = unknown > cap and rules.trial_ms or rules.breaker_ms
    redis.call('HSET', lane_key('breaker', task), 'trial_at', now + pause_ms)
  end
end

-- The vendor answered a submit, whatever it said: the lane's breaker is closed.
local function heard(task) redis.call('DEL', lane_key('breaker', task)) end

-- Where a task stands -----------------------------------------------------------------------

-- The classes with waiting tasks that may take a slot which this class waits for too: those of its
-- model that share a provider with it.
local function rival_classes(class)
  local model, providers = split_class(class)
  local shares, rivals = {}, {}
  for _, provider in ipairs(providers) do shares[provider] = true end
  for _, other in ipairs(redis.call('SMEMBERS', key('classes'))) do
    local its_model, its_providers = split_class(other)
    for _, provider in ipairs(its_model == model and its_providers or {}) do
      if shares[provider] then
        rivals[#rivals + 1] = other
        break
      end
    end
  end
  return rivals
end

-- What each team has waiting in these classes together: by team {tag, order of its first task,
-- how many}.
local function waiting_by_team(classes)
  local teams = {}
  for _, class in ipairs(classes) do
    for _, first in ipairs(teams_in_order(class)) do
      local team = teams[first.team] or {tag = first.tag, order = first.order, count = 0}
      team.order = math.min(team.order, first.order)
      team.count = team.count + redis.call('ZCARD', key('queue', class, first.team))
      teams[first.team] = team
    end
  end
  return teams
end

-- What stands before a task of this team with this place in the order of admission. Teams are
-- served by their tags, so of each other team go as many first as have the smaller tag; of two
-- that are equal, the older. Caps of other teams are left out: they may rise, and they only make
-- the truth better than what was told. So does a slot of a vendor that could serve only others.
-- Returns {position (1: the next to go), position within the team, slots that serve the class,
-- how many of them are free, the team's cap, how many of its places are free}.
local function place(class, team, order, now, rules)
  local slots, free_slots = room_for(class, now, rules)
  local rivals, rank = rival_classes(class), 0
  local older = order == math.huge and '+inf' or string.format('(%d', order)
  for _, rival in ipairs(rivals) do
    rank = rank + redis.call('ZCOUNT', key('queue', rival, team), '-inf', older)
  end
  local own = math.max(tonumber(redis.call('HGET', key('tags'), team) or 0), virtual_time())
    + rank * step_of(team)
  local position = rank + 1
  for name, other in pairs(waiting_by_team(rivals)) do
    if name ~= team and other.tag <= own then
      local step = step_of(name)
      local first = math.ceil((own - other.tag) / step)
      if other.tag + first * step == own and other.order < order then
        first = first + 1
      end
      position = position + math.min(first, other.count)
    end
  end
  return {position, rank + 1, slots, free_slots, cap_of(team), free_places(team)}
end
