-- An account's keys are encrypted anew; nothing else of it changes.
--
-- ARGV  account, its record as it was read, its record now
-- Returns 1, or 0 if the record is no longer as it was read. Safe to run twice.

local account, read, record = ARGV[1], ARGV[2], ARGV[3]
local kept = redis.call('HGET', key('accounts'), account) or ''

if kept == record then return 1 end
if kept ~= read then return 0 end
redis.call('HSET', key('accounts'), account, record)
tell_accounts_changed()
return 1
