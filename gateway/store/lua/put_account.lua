-- An account is made, or changed, by an operator.
--
-- ARGV  account, its record as the operator read it ('' for none), its record now, 1 if it is the
--       one in use (0 where the settings have one of that name), lanes as JSON, ids of its keys
--       (see put_account in lanes.lua), then what the audit gets: who, action, before, after,
--       reason, the most entries, then the version of the secret that its keys are sealed with
-- Returns 1; 0 if the record is no longer as it was read; -1 if that secret is out of use, so that
-- nobody would open the keys once it is forgotten. Safe to run twice.

local account, read, record = ARGV[1], ARGV[2], ARGV[3]
local kept = redis.call('HGET', key('accounts'), account) or ''

if kept == record then return 1 end
if kept ~= read then return 0 end
if redis.call('SISMEMBER', key('retired'), ARGV[13]) == 1 then return -1 end

write_audit(ARGV[7], ARGV[8], account, ARGV[9], ARGV[10], ARGV[11], ARGV[12])
redis.call('HSET', key('accounts'), account, record)
if ARGV[4] == '1' then put_account(account, cjson.decode(ARGV[5]), ARGV[6]) end
tell_accounts_changed()
return 1
