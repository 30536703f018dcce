-- What every script starts with: the pool's keys, the clock, and the moves that several steps
-- share. Prepended to each of the other files (see connection.py), so it only defines.
--
-- KEYS[1] is the pool's hash tag, '{gw:default}'. It is not a key of its own: it tells a cluster
-- which shard the script belongs to. All keys below carry the same tag and so live there too;
-- they cannot all be declared, because which task follows a freed slot is decided in here.
-- keyspace.py lists every key with its type and lifetime.

local POOL = KEYS[1] .. ':'

local function key(...) return POOL .. table.concat({...}, ':') end
local function task_key(id) return key('task', id) end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Redis hands a hash back as a flat list.
local function hash(flat)
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

-- A class is '<model>@<provider>+<provider>': who could make it decides which slots it waits for.
local function split_class(class)
  local model, providers = class:match('^(.*)@(.*)$')
  local list = {}
  for provider in providers:gmatch('[^+]+') do list[#list + 1] = provider end
  return model, list
end

-- The queue ---------------------------------------------------------------------------------

-- Keeps the order of teams within a class true: each stands at the place of its first task.
local function reorder(class, team)
  local head = redis.call('ZRANGE', key('queue', class, team), 0, 0, 'WITHSCORES')
  if head[1] then
    redis.call('ZADD', key('waiting', class), head[2], team)
    redis.call('SADD', key('classes'), class)
    return
  end
  redis.call('ZREM', key('waiting', class), team)
  if redis.call('EXISTS', key('waiting', class)) == 0 then
    redis.call('SREM', key('classes'), class)
  end
end

local function enqueue(id, class, team, order)
  redis.call('ZADD', key('queue', class, team), order, id)
  reorder(class, team)
end

local function dequeue(id, class, team)
  redis.call('ZREM', key('queue', class, team), id)
  reorder(class, team)
end

-- Slots -------------------------------------------------------------------------------------

-- Whether this is left alone at that time. The value is '<until ms> <reason>'.
local function resting(name, at_ms)
  local rest = redis.call('HGET', key('rests'), name)
  return rest and tonumber(rest:match('^%d+')) > at_ms
end

-- The account with the largest share of free slots and its provider; nil when all are full or at
-- rest.
local function roomiest(class, now)
  local model, providers = split_class(class)
  local best, best_provider, best_share
  for _, provider in ipairs(providers) do
    if not resting('provider:' .. provider .. ':' .. model, now) then
      local limits = redis.call('HGETALL', key('limits', provider, model))
      for i = 1, #limits, 2 do
        local account, limit = limits[i], tonumber(limits[i + 1])
        local share = limit > 0 and 1 - redis.call('SCARD', key('slots', account, model)) / limit or 0
        if share > 0 and (not best or share > best_share)
            and not resting('account:' .. account, now)
            and not resting('account:' .. account .. ':' .. model, now) then
          best, best_provider, best_share = account, provider, share
        end
      end
    end
  end
  return best, best_provider
end

-- The class's oldest task whose team has a place free: id, team, order.
local function first_eligible(class)
  local teams = redis.call('ZRANGE', key('waiting', class), 0, -1)
  for _, team in ipairs(teams) do
    -- A team that is no longer in the settings still gets what it queued, one at a time.
    local cap = tonumber(redis.call('HGET', key('caps'), team) or 1)
    if redis.call('SCARD', key('places', team)) < cap then
      local head = redis.call('ZRANGE', key('queue', class, team), 0, 0, 'WITHSCORES')
      return head[1], team, tonumber(head[2])
    end
  end
end

-- queued -> claimed. Takes the team's place and the account's slot together, under a new number.
local function claim(best, now, lease_ms)
  local id, model = best.id, split_class(best.class)
  dequeue(id, best.class, best.team)
  redis.call('SADD', key('slots', best.account, model), id)
  redis.call('SADD', key('places', best.team), id)
  redis.call('ZADD', key('leases'), now + lease_ms, id)
  redis.call('HSET', task_key(id), 'status', 'claimed', 'account', best.account,
    'provider', best.provider)
  return redis.call('HINCRBY', task_key(id), 'claim', 1)
end

-- Claims up to `most` tasks, oldest first over all classes that have a slot free somewhere.
-- Returns a flat list: id, claim number, account, ...
local function claim_next(most, now, lease_ms)
  local claims = {}
  for _ = 1, most do
    local best
    for _, class in ipairs(redis.call('SMEMBERS', key('classes'))) do
      local account, provider = roomiest(class, now)
      if account then
        local id, team, order = first_eligible(class)
        if id and (not best or order < best.order) then
          best = {id = id, class = class, team = team, order = order,
            account = account, provider = provider}
        end
      end
    end
    if not best then break end
    local number = claim(best, now, lease_ms)
    claims[#claims + 1] = best.id
    claims[#claims + 1] = number
    claims[#claims + 1] = best.account
  end
  return claims
end

-- Takes a task out of every set that a slot-holding task is in.
local function free(id, task)
  redis.call('SREM', key('slots', task.account, (split_class(task.class))), id)
  redis.call('SREM', key('places', task.team), id)
  redis.call('ZREM', key('leases'), id)
  redis.call('ZREM', key('due'), id)
end

-- claimed | sending -> queued, at its old place. The slot is free.
local function requeue(id, task)
  free(id, task)
  redis.call('HSET', task_key(id), 'status', 'queued')
  redis.call('HDEL', task_key(id), 'account', 'provider', 'api_key_id')
  enqueue(id, task.class, task.team, task.order)
end

-- sending | unknown | in_progress -> completed | failed. `fields` is a flat list of what to
-- remember.
local function finish(id, task, status, now, retention_ms, fields)
  free(id, task)
  redis.call('DEL', key('images', id))
  redis.call('HSET', task_key(id), 'status', status, 'ended_ms', now, unpack(fields))
  redis.call('PEXPIRE', task_key(id), retention_ms)
end
