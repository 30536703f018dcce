-- Make the pool's accounts and teams those of the settings, and of the accounts kept in the store.
--
-- ARGV  the versions of the kept accounts and of the kept tenants that the caller read, JSON {
--         "accounts": {"<account>": {"lanes": {"<provider>:<model>": see read_lane}, "keys":
--         "<ids of its API keys>"}}, "of_settings": [names of those that the settings have],
--         "caps": {"<team>": n}, "weights": {"<team>": n}}
-- Returns 1, or 0 if what is kept has changed meanwhile: then read it again. Safe to run
-- twice. A limit lowered below what is in flight drains: slots are sets of tasks, and no task is
-- taken out but by its end. Where an account changed, its rests end: whoever corrected a key should
-- not have to wait. Where it did not, a process merely started.

if (redis.call('GET', key('accounts_version')) or '0') ~= ARGV[1] then return 0 end
if (redis.call('GET', key('tenants_version')) or '0') ~= ARGV[2] then return 0 end

local wanted = cjson.decode(ARGV[3])

for _, account in ipairs(redis.call('HKEYS', key('lanes_of'))) do
  if not wanted.accounts[account] then
    drop_account(account)
    redis.call('HDEL', key('account_states'), account)
  end
end
redis.call('DEL', key('of_settings'))
for _, account in ipairs(wanted.of_settings) do redis.call('SADD', key('of_settings'), account) end
for account, told in pairs(wanted.accounts) do put_account(account, told.lanes, told.keys) end

redis.call('DEL', key('caps'), key('weights'))
for team, cap in pairs(wanted.caps) do
  redis.call('HSET', key('caps'), team, cap)
  redis.call('HSET', key('weights'), team, wanted.weights[team])
end
-- What a team was given is forgotten with the team, so that old names do not pile up.
for _, team in ipairs(redis.call('HKEYS', key('tags'))) do
  if not wanted.caps[team] then redis.call('HDEL', key('tags'), team) end
end
return 1
