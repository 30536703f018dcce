-- A day of the ledger has become a file: take its entries out of the store.
--
-- ARGV  day, the day after it, how many entries were written, id of the last of them, what is
--       remembered of the file as JSON {"sha256", "entries", "fen": charged}, then period, holder,
--       fen for each of the sums of what was charged
-- Returns a word. Safe to run twice, and by two that wrote the day to a file each. The words:
--   archived  the entries are gone; the file has the day from now on
--   gone      they were gone already
--   changed   these are not all entries that there are: nothing was done
--
-- What a period's spending says is computed again from the entries and from `archived`, so that a
-- sum moves from the one to the other here. A period that was dropped stays dropped.

local day, next_day, length, last, file = unpack(ARGV, 1, 5)
local name = key('ledger', day)

if redis.call('HEXISTS', key('archives'), day) == 1 then return 'gone' end
local newest = redis.call('XREVRANGE', name, '+', '-', 'COUNT', 1)[1]
if not newest or newest[1] ~= last or redis.call('XLEN', name) ~= tonumber(length) then
  return 'changed'
end

for i = 6, #ARGV, 3 do
  local period, holder, fen = unpack(ARGV, i, i + 2)
  if redis.call('EXISTS', key('spend', period)) == 1 then
    redis.call('HINCRBY', key('archived', period), holder, fen)
  end
end
redis.call('HSET', key('archives'), day, file)
if (redis.call('GET', key('first_open_day')) or '') < next_day then
  redis.call('SET', key('first_open_day'), next_day)
end
redis.call('DEL', name)
redis.call('ZREM', key('ledger_days'), day)
return 'archived'
