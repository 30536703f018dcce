-- An account is taken out, by an operator. One that holds slots stays: nobody could look after its
-- tasks. Where the settings have one of that name, that one goes on.
--
-- ARGV  account, its record as the operator read it, then what the audit gets: who, action, before,
--       reason, the most entries
-- Returns {1 if it is gone, 0 if it is no longer as it was read or holds slots; how many it holds}.
-- Safe to run twice.

local account = ARGV[1]
local kept = redis.call('HGET', key('accounts'), account)

if not kept then return {1, 0} end
if kept ~= ARGV[2] then return {0, 0} end
if not is_of_settings(account) then
  local held = held_by(account)
  if held > 0 then return {0, held} end
  drop_account(account)
  redis.call('HDEL', key('account_states'), account)
  redis.call('DEL', key('made', account))
end
write_audit(ARGV[3], ARGV[4], account, ARGV[5], '', ARGV[6], ARGV[7])
redis.call('HDEL', key('accounts'), account)
tell_accounts_changed()
return {1, 0}
