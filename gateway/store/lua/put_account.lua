-- An account is made, or changed, by an operator.
--
-- ARGV  account, its record as the operator read it ('' for none), its record now, 1 if it is the
--       one in use (0 where the settings have one of that name), lanes as JSON, ids of its keys
--       (see put_account in lanes.lua), then what the audit gets: who, action, before, after,
--       reason, the most entries, then the version of the secret that its keys are sealed with
-- Returns {word, name}. Safe to run twice. The words:
--   kept         it is as it was said
--   overtaken    the record is no longer as it was read
--   out of use   that secret is: nobody would open the keys once it is forgotten
--   taken        the account of that name has one of the keys: its slots would be counted twice

local account, read, record, keys = ARGV[1], ARGV[2], ARGV[3], ARGV[6]
local kept = redis.call('HGET', key('accounts'), account) or ''

if kept == record then return {'kept', ''} end
if kept ~= read then return {'overtaken', ''} end
if redis.call('SISMEMBER', key('retired'), ARGV[13]) == 1 then return {'out of use', ''} end
for other, ids in pairs(all_of('keys')) do
  for id in ids:gmatch('%S+') do
    if other ~= account and (' ' .. keys .. ' '):find(' ' .. id .. ' ', 1, true) then
      return {'taken', other}
    end
  end
end

write_audit(ARGV[7], ARGV[8], account, ARGV[9], ARGV[10], ARGV[11], ARGV[12])
redis.call('HSET', key('accounts'), account, record)
if ARGV[4] == '1' then put_account(account, cjson.decode(ARGV[5]), keys) end
tell_accounts_changed()
return {'kept', ''}
