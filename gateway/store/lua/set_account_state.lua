-- An operator says whether an account gets tasks: it is paused or draining, or goes on as usual.
-- Whoever lets it go on need not wait for what it is left alone for.
--
-- ARGV  account, its state as JSON ({"state", "reason", "who"}; '' to go on), then what the audit
--       gets: who, action, before, after, reason, the most entries
-- Returns 1, or 0 if there is no such account. Safe to run twice.

local account, state = ARGV[1], ARGV[2]

if redis.call('HEXISTS', key('lanes_of'), account) == 0 then return 0 end
if state == '' then
  redis.call('HDEL', key('account_states'), account)
  end_rests(account)
else
  local told = cjson.decode(state)
  told.at_ms = wall_ms()
  redis.call('HSET', key('account_states'), account, cjson.encode(told))
end
write_audit(ARGV[3], ARGV[4], account, ARGV[5], ARGV[6], ARGV[7], ARGV[8])
tell_accounts_changed()
return 1
