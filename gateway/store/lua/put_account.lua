-- An account is made, or changed, by an operator.
--
-- ARGV  account, its record as the operator read it ('' for none), its record now, 1 if it is to be
--       reached elsewhere than before, lanes as JSON, ids of its keys (see put_account in
--       lanes.lua), then what the audit gets: who, action, before, after,
--       reason, the most entries, then the version of the secret that its keys are sealed with
-- Returns {word, name}. Safe to run twice. The words:
--   kept         it is as it was said
--   overtaken    the record is no longer as it was read
--   out of use   that secret is: nobody would open the keys once it is forgotten
--   taken        the account of that name has one of the keys: its slots would be counted twice
--   in use       so many tasks hold slots of it, and could not be asked about elsewhere

local account, read, record, keys = ARGV[1], ARGV[2], ARGV[3], ARGV[6]
local kept = redis.call('HGET', key('accounts'), account) or ''

if kept == record then return {'kept', ''} end
if kept ~= read then return {'overtaken', ''} end
if redis.call('SISMEMBER', key('retired'), ARGV[13]) == 1 then return {'out of use', ''} end
if ARGV[4] == '1' and not is_of_settings(account) and held_by(account) > 0 then
  return {'in use', held_by(account)}
end
for other, ids in pairs(all_of('keys')) do
  for id in ids:gmatch('%S+') do
    if other ~= account and (' ' .. keys .. ' '):find(' ' .. id .. ' ', 1, true) then
      return {'taken', other}
    end
  end
end

write_audit(ARGV[7], ARGV[8], account, ARGV[9], ARGV[10], ARGV[11], ARGV[12])
redis.call('HSET', key('accounts'), account, record)
if not is_of_settings(account) then put_account(account, cjson.decode(ARGV[5]), keys) end
tell_accounts_changed()
return {'kept', ''}
