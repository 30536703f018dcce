-- Money, and what is counted of it. Whole fen, never fractions.
--
-- A task's price is frozen when it is admitted and reserved for its holders, which are its team
-- ('team:<name>') and the key that it was asked for with ('key:<id>'), in each of its periods: the
-- day and the month of its admission, by the gateway's time zone, and 'all'. Its end turns the
-- reservation into money spent, or into nothing, in the same periods: so what is reserved and spent
-- of a period never exceeds what the period's budget had room for, and no later period pays.
--
-- `spend:<period>` has '<holder>:reserved' and '<holder>:spent'. These are the only sums that
-- decide something; they move where the task moves, in the same script, and can all be computed
-- again from the ledger and the tasks that have not ended (see verify in ledger.py).

local function each_spend(task, visit)
  local holders = {'team:' .. task.team}
  if (task.key_id or '') ~= '' then holders[2] = 'key:' .. task.key_id end
  for period in (task.periods or ''):gmatch('%S+') do
    for _, holder in ipairs(holders) do visit(key('spend', period), holder) end
  end
end

-- The record of a task that is being admitted has 'periods', separated by spaces.
local function reserve(task)
  each_spend(task, function(name, holder)
    redis.call('HINCRBY', name, holder .. ':reserved', task.price_fen)
  end)
end

-- A period that is long over is no longer there; what ends now changes nothing about it.
local function settle_money(task, charged)
  each_spend(task, function(name, holder)
    if redis.call('HEXISTS', name, holder .. ':reserved') == 0 then return end
    redis.call('HINCRBY', name, holder .. ':reserved', -task.price_fen)
    if charged then redis.call('HINCRBY', name, holder .. ':spent', task.price_fen) end
  end)
end

-- What a budget has room for: {holder, period, cap in fen}. Returns what is taken of it.
local function taken_of(budget)
  local holder, period = budget[1], budget[2]
  local sums = redis.call('HMGET', key('spend', period), holder .. ':reserved', holder .. ':spent')
  return (tonumber(sums[1]) or 0) + (tonumber(sums[2]) or 0)
end

-- The first budget that has no room for so much more: its place in the list and what is taken of
-- it; nil if all have.
local function first_exceeded(budgets, price_fen)
  for i, budget in ipairs(budgets) do
    local taken = taken_of(budget)
    if taken + price_fen > budget[3] then return i, taken end
  end
end

-- What the tightest of these budgets still has room for; nil without any.
local function left_of(budgets)
  local least
  for _, budget in ipairs(budgets) do
    local left = budget[3] - taken_of(budget)
    if not least or left < least then least = left end
  end
  return least
end

-- The budgets of which four fifths are taken by now, each told once for each amount that it has.
local function alarming(budgets)
  local places = {}
  for i, budget in ipairs(budgets) do
    local holder, period, cap = unpack(budget)
    local told = holder .. ':alerted'
    if taken_of(budget) * 5 >= cap * 4
        and redis.call('HGET', key('spend', period), told) ~= tostring(cap) then
      redis.call('HSET', key('spend', period), told, cap)
      places[#places + 1] = i
    end
  end
  return places
end

-- The rate of submits ------------------------------------------------------------------------

-- So many a minute, all of them at once or evenly: each submit takes its share of a minute, and up
-- to a minute may be taken in advance. `rates` has, by holder, up to when it is.
local function ms_too_early(rates, now)
  for i, rate in ipairs(rates) do
    local until_ms = math.max(tonumber(redis.call('HGET', key('rates'), rate[1]) or 0), now)
    local early = until_ms + 60000 / rate[2] - now - 60000
    if early > 0 then return i, math.ceil(early) end
  end
end

local function take_rate(rates, now)
  for _, rate in ipairs(rates) do
    local until_ms = math.max(tonumber(redis.call('HGET', key('rates'), rate[1]) or 0), now)
    redis.call('HSET', key('rates'), rate[1], until_ms + 60000 / rate[2])
  end
end

-- The ledger ---------------------------------------------------------------------------------

-- Its one entry of a task, and the sums of that hour. A day's entries are one stream, in UTC. Once
-- a day has been taken out of the store nothing is added to it any more, whatever the clock says:
-- the first day that is still open takes it.
--
-- `entry` is a table with at least team, key, model, account, status, outcome, price_fen, cost_fen
-- (what the vendor charges us; '' where nobody said). The sums of an hour have, for
-- '<team> <key> <model> <account> <status> <outcome>', ' n' tasks, ' fen' charged, ' cost' of what
-- was charged; '-' stands for a key or an account that there is not.
local function write_ledger(entry, wall)
  local day = date_of(wall)
  local hour = day .. string.format('T%02d', math.floor(wall / 3600000) % 24)
  local first_open = redis.call('GET', key('first_open_day')) or ''
  if day < first_open then day, hour = first_open, first_open .. 'T00' end
  local flat = {}
  for name, value in pairs(entry) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('XADD', key('ledger', day), '*', unpack(flat))
  redis.call('ZADD', key('ledger_days'), day_number(day), day)

  local function named(text) return text == '' and '-' or text end
  local sums = key('usage', hour)
  local of = table.concat({entry.team, named(entry.key), entry.model, named(entry.account),
    entry.status, entry.outcome}, ' ')
  redis.call('ZADD', key('usage_hours'), day_number(day) * 24 + tonumber(hour:sub(12)), hour)
  redis.call('HINCRBY', sums, of .. ' n', 1)
  if entry.outcome == 'charged' then
    redis.call('HINCRBY', sums, of .. ' fen', entry.price_fen)
    if entry.cost_fen ~= '' then redis.call('HINCRBY', sums, of .. ' cost', entry.cost_fen) end
  end
end
