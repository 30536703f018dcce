-- What every script starts with, the first of four: the pool's keys and its clocks; then money.lua,
-- what is reserved and spent; lanes.lua, which account may have a task; and moves.lua, what several
-- steps do to one. They are prepended to each of the other files (see connection.py), so they only
-- define.
--
-- KEYS[1] is the pool's hash tag, '{gw:default}'. It is not a key of its own: it tells a cluster
-- which shard the script belongs to. All keys below carry the same tag and so live there too;
-- they cannot all be declared, because which task follows a freed slot is decided in here.
-- keyspace.py lists every key with its type and lifetime.
--
-- The scripts of a task's life take the process's rules as JSON in ARGV[1]: how long things are
-- held, in ms, and how often they may go wrong (see `Rules` in tasks.py).

local POOL = KEYS[1] .. ':'

local function key(...) return POOL .. table.concat({...}, ':') end
local function task_key(id) return key('task', id) end

-- Redis hands a hash back as a flat list.
local function hash(flat)
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

-- A whole hash, read once a run; whoever writes to it writes to this copy as well.
local READ = {}
local function all_of(...)
  local name = key(...)
  READ[name] = READ[name] or hash(redis.call('HGETALL', name))
  return READ[name]
end

local function read_task(id) return hash(redis.call('HGETALL', task_key(id))) end

-- Clocks ------------------------------------------------------------------------------------

-- What people see.
local function wall_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The date in UTC, like 2026-03-01. Counted in years that begin with March, so that a leap day comes
-- last and months follow one rule (H. Hinnant, "chrono-compatible low-level date algorithms").
local function date_of(ms)
  local days = math.floor(ms / 86400000) + 719468  -- since 1 March of the year 0
  local era = math.floor(days / 146097)
  local of_era = days - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524)
    - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * of_year + 2) / 153)
  local day = of_year - math.floor((153 * month + 2) / 5) + 1
  local january = month >= 10
  return string.format('%04d-%02d-%02d', year + era * 400 + (january and 1 or 0),
    january and month - 9 or month + 3, day)
end

-- Its inverse: days since 1970.
local function day_number(date)
  local year, month, day = date:match('^(%d+)-(%d+)-(%d+)$')
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local era = math.floor(year / 400)
  local of_era = year - era * 400
  local of_year = math.floor((153 * (month - 3) + 2) / 5) + day - 1
  return era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100) + of_year
    - 719468
end

-- What leases, holds, looks and rests run on: a clock that only ever advances by as much as the
-- server's did since the last script, and by nothing when that is impossible. While any process
-- sweeps (once a second) no two scripts are five seconds apart, so a larger step is a clock that
-- was set, a machine that slept, or a store that was down: then it stands still, and what is held
-- is held longer, which is the safe side. A hold that ended early could free a slot in use.
local LONGEST_STEP_MS = 5000

local function clock_ms()
  local wall = wall_ms()
  local last = redis.call('HMGET', key('clock'), 'wall', 'now')
  local now = tonumber(last[2]) or wall
  local step = wall - (tonumber(last[1]) or 0)
  if step == 0 then return now end
  if last[1] and step > 0 and step <= LONGEST_STEP_MS then now = now + step end
  redis.call('HSET', key('clock'), 'wall', wall, 'now', now)
  return now
end

-- Tells every process what happened to a task: 'ended <id>', or 'changed <id>' for an ended one
-- whose copies in memory are no longer true. A hint: whoever was not listening asks the store.
local function tell(what, id) redis.call('PUBLISH', key('events'), what .. ' ' .. id) end

-- The steps of a task's life, for whoever asks what became of it: '<Unix ms> <step> <process> <note>'.
-- A step is the status that it brought, or 'cancel_asked', which is a mark. Of a task that went back
-- to its place again and again the latest are kept.
local STEPS = 40

local function write_step(id, step, note, rules)
  local text = table.concat({wall_ms(), step, rules.process, note or ''}, ' ')
  if redis.call('RPUSH', key('steps', id), text) > STEPS then
    redis.call('LTRIM', key('steps', id), -STEPS, -1)
  end
end

-- What an operator did: 'at_ms', 'who', 'action', 'on', 'before', 'after', 'reason'.
local function write_audit(who, action, on, before, after, reason, most)
  redis.call('XADD', key('audit'), 'MAXLEN', '~', most, '*', 'at_ms', wall_ms(), 'who', who,
    'action', action, 'on', on, 'before', before, 'after', after, 'reason', reason)
end

-- Classes -----------------------------------------------------------------------------------

-- A class is '<model>@<provider>+<provider>': who could make it decides which slots it waits for.
local function split_class(class)
  local model, providers = class:match('^(.*)@(.*)$')
  local list = {}
  for provider in providers:gmatch('[^+]+') do list[#list + 1] = provider end
  return model, list
end
