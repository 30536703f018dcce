-- Make the pool's limits those of the settings: each account's by provider and model, each team's.
--
-- ARGV  JSON {"limits": {"<provider>:<model>": {"<account>": n}}, "caps": {"<team>": n},
--       "keys": {"<account>": "<ids of its API keys>"}}
-- Returns nothing. Safe to run twice. A limit lowered below what is in flight drains: slots are
-- sets of tasks, and no task is taken out but by its end. Where the settings changed, rests end:
-- whoever corrected a key should not have to wait. Where they did not, a process merely started.

if redis.call('GET', key('settings')) == ARGV[1] then return end

local wanted = cjson.decode(ARGV[1])

for _, name in ipairs(redis.call('SMEMBERS', key('limited'))) do
  redis.call('DEL', key('limits', name))
end
redis.call('DEL', key('limited'), key('caps'), key('rests'))

for name, accounts in pairs(wanted.limits) do
  redis.call('SADD', key('limited'), name)
  for account, limit in pairs(accounts) do
    redis.call('HSET', key('limits', name), account, limit)
  end
end
for team, cap in pairs(wanted.caps) do
  redis.call('HSET', key('caps'), team, cap)
end
redis.call('SET', key('settings'), ARGV[1])
