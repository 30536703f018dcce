-- Make the pool's limits those of the settings: each account's by provider and model, each team's.
--
-- ARGV  JSON {"limits": {"<provider>:<model>": {"<account>": n}}, "unknown_caps": the same,
--       "costs": the same (fen a video),
--       "caps": {"<team>": n}, "weights": {"<team>": n},
--       "keys": {"<account>": "<ids of its API keys>"}}
-- Returns nothing. Safe to run twice. A limit lowered below what is in flight drains: slots are
-- sets of tasks, and no task is taken out but by its end. Where the settings changed, rests end:
-- whoever corrected a key should not have to wait. Where they did not, a process merely started.

if redis.call('GET', key('settings')) == ARGV[1] then return end

local wanted = cjson.decode(ARGV[1])

for _, name in ipairs(redis.call('SMEMBERS', key('limited'))) do
  redis.call('DEL', key('limits', name), key('unknown_caps', name), key('costs', name))
end
redis.call('DEL', key('limited'), key('caps'), key('weights'), key('rests'))

for _, what in ipairs({'limits', 'unknown_caps', 'costs'}) do
  for name, accounts in pairs(wanted[what]) do
    redis.call('SADD', key('limited'), name)
    for account, number in pairs(accounts) do
      redis.call('HSET', key(what, name), account, number)
    end
  end
end
for team, cap in pairs(wanted.caps) do
  redis.call('HSET', key('caps'), team, cap)
  redis.call('HSET', key('weights'), team, wanted.weights[team])
end
-- What a team was given is forgotten with the team, so that old names do not pile up.
for _, team in ipairs(redis.call('HKEYS', key('tags'))) do
  if not wanted.caps[team] then redis.call('HDEL', key('tags'), team) end
end
redis.call('SET', key('settings'), ARGV[1])
