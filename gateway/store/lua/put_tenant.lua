-- A team, a key, a price or an operator is made, changed or taken out, by an operator.
--
-- ARGV  hash that it is kept in ('teams', 'team_keys', 'prices', 'operators'), its name or id, its
--       record as the operator read it ('' for none), its record now ('' for none), cap and weight
--       of a team ('' where the settings have one of that name, which is in use instead), the kept
--       team without which there can be no such key, price or operator ('' for none), then what
--       the audit gets: who, action, before, after, reason, the most entries
-- Returns {word, n}. Safe to run twice. The words:
--   kept         it is as it was said; a team that was taken out took n keys with it
--   overtaken    the record is no longer as it was read, or the team that it needs is gone
--   in use       n tasks of that team wait or are in flight: nobody could ask for them any more

local kind, name, read, record, cap, weight, team = unpack(ARGV, 1, 7)
local who, action, before, after, reason, most = unpack(ARGV, 8, 13)
local kept, taken = redis.call('HGET', key(kind), name) or '', 0

if kept == record then return {'kept', 0} end
if kept ~= read then return {'overtaken', 0} end
if team ~= '' and redis.call('HEXISTS', key('teams'), team) == 0 then return {'overtaken', 0} end

-- A team's keys, its own viewers and its prices go with it: they are not for another one of its
-- name.
local function take_along(hash)
  local n = 0
  for id, text in pairs(all_of(hash)) do
    local said = cjson.decode(text)
    if (said.form or said).team == name then
      for i, secret in ipairs(said.secrets or {}) do said.secrets[i] = secret.hint end
      local gone_with = 'its team ' .. name .. ' was taken out'
      write_audit(who, action, id, cjson.encode(said), '', gone_with, most)
      redis.call('HDEL', key(hash), id)
      n = n + 1
    end
  end
  return n
end

if kind == 'teams' and record == '' and cap ~= '' then
  local tasks = redis.call('SCARD', key('places', name))
  for _, class in ipairs(redis.call('SMEMBERS', key('classes'))) do
    tasks = tasks + redis.call('ZCARD', key('queue', class, name))
  end
  if tasks > 0 then return {'in use', tasks} end
  taken = take_along('team_keys')
  take_along('operators')
  take_along('prices')
  for _, hash in ipairs({'caps', 'weights', 'tags'}) do redis.call('HDEL', key(hash), name) end
elseif cap ~= '' then
  redis.call('HSET', key('caps'), name, cap)
  redis.call('HSET', key('weights'), name, weight)
end

write_audit(who, action, name, before, after, reason, most)
if record == '' then
  redis.call('HDEL', key(kind), name)
else
  redis.call('HSET', key(kind), name, record)
end
redis.call('INCR', key('tenants_version'))
tell('tenants', name)
return {'kept', taken}
