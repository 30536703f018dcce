-- An account is taken out, by an operator. One that holds slots stays: nobody could look after its
-- tasks.
--
-- ARGV  account, its record as the operator read it, 1 if it is the one in use (0 where the settings
--       have one of that name), then what the audit gets: who, action, before, reason, the most
--       entries
-- Returns {1 if it is gone, 0 if it is no longer as it was read or holds slots; how many it holds}.
-- Safe to run twice.

local account = ARGV[1]
local kept, held = redis.call('HGET', key('accounts'), account), 0

if not kept then return {1, 0} end
if kept ~= ARGV[2] then return {0, 0} end
if ARGV[3] == '1' then
  for name in (redis.call('HGET', key('lanes_of'), account) or ''):gmatch('%S+') do
    held = held + redis.call('SCARD', key('slots', account, name:match(':(.*)$')))
  end
  if held > 0 then return {0, held} end
  drop_account(account)
  redis.call('HDEL', key('account_states'), account)
end
write_audit(ARGV[4], ARGV[5], account, ARGV[6], '', ARGV[7], ARGV[8])
redis.call('HDEL', key('accounts'), account)
tell_accounts_changed()
return {1, 0}
