-- A team, a key, a price or an operator is made, changed or taken out, by an operator.
--
-- ARGV  hash that it is kept in ('teams', 'team_keys', 'prices', 'operators'), its name or id, its
--       record as the operator read it ('' for none), its record now ('' for none), cap and weight
--       of a team that is in use ('' otherwise), then what the audit gets: who, action, before,
--       after, reason, the most entries
-- Returns {word, n}. Safe to run twice. The words:
--   kept         it is as it was said; a team that was taken out took n keys with it
--   overtaken    the record is no longer as it was read
--   in use       n tasks of that team wait or are in flight: nobody could ask for them any more

local kind, name, read, record, cap, weight = unpack(ARGV, 1, 6)
local kept, taken = redis.call('HGET', key(kind), name) or '', 0

if kept == record then return {'kept', 0} end
if kept ~= read then return {'overtaken', 0} end

if kind == 'teams' and record == '' then
  local tasks = redis.call('SCARD', key('places', name))
  for _, class in ipairs(redis.call('SMEMBERS', key('classes'))) do
    tasks = tasks + redis.call('ZCARD', key('queue', class, name))
  end
  if tasks > 0 then return {'in use', tasks} end
  for id, text in pairs(all_of('team_keys')) do
    if cjson.decode(text).team == name then
      redis.call('HDEL', key('team_keys'), id)
      taken = taken + 1
    end
  end
  for _, hash in ipairs({'caps', 'weights', 'tags'}) do redis.call('HDEL', key(hash), name) end
end
if cap ~= '' then
  redis.call('HSET', key('caps'), name, cap)
  redis.call('HSET', key('weights'), name, weight)
end

write_audit(ARGV[7], ARGV[8], name, ARGV[9], ARGV[10], ARGV[11], ARGV[12])
if record == '' then
  redis.call('HDEL', key(kind), name)
else
  redis.call('HSET', key(kind), name, record)
end
redis.call('INCR', key('tenants_version'))
tell('tenants', name)
return {'kept', taken}
