-- Drop sums that are older than they are kept: those of periods that were over before the oldest
-- day of which the store still has entries, and those of hours.
--
-- ARGV  the time now, how long the ledger is kept in the store, how long the sums of an hour are
--       kept (all ms), the most of each to drop
-- Returns {periods dropped, hours dropped}. Safe to run twice.
--
-- `first_usage_hour` is the number of the first hour that was not dropped, counted since 1970: who
-- asks for what was before reads the entries.

local DAY_MS, HOUR_MS = 86400000, 3600000
local now, ledger_ms, usage_ms, most = unpack(ARGV)

local oldest = redis.call('ZRANGE', key('ledger_days'), 0, 0, 'WITHSCORES')[2]
local kept_since = math.floor((now - ledger_ms) / DAY_MS)
if oldest then kept_since = math.min(kept_since, tonumber(oldest)) end
local periods = redis.call('ZRANGEBYSCORE', key('periods'), '-inf',
  string.format('%d', kept_since * DAY_MS), 'LIMIT', 0, most)
for _, period in ipairs(periods) do
  redis.call('DEL', key('spend', period), key('archived', period))
  redis.call('ZREM', key('periods'), period)
end

local first_kept = math.floor((now - usage_ms) / HOUR_MS)
local hours = redis.call('ZRANGEBYSCORE', key('usage_hours'), '-inf',
  string.format('(%d', first_kept), 'LIMIT', 0, most, 'WITHSCORES')
for i = 1, #hours, 2 do
  redis.call('DEL', key('usage', hours[i]))
  redis.call('ZREM', key('usage_hours'), hours[i])
  local next_hour = tonumber(hours[i + 1]) + 1
  if next_hour > tonumber(redis.call('GET', key('first_usage_hour')) or 0) then
    redis.call('SET', key('first_usage_hour'), string.format('%d', next_hour))
  end
end
return {#periods, #hours / 2}
