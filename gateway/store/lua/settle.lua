-- sending | unknown | in_progress -> completed | failed: end a task exactly once, and hand its
-- slot on.
--
-- ARGV  rules, task id, claim number, status it ends in, age in ms at which a look found that it is
--       over at the vendor ('' if none did), then fields and values to remember
-- Returns {1 if this run ended it else 0, claims as a flat list, what ended (see `ended`)}. Its first
-- answer guards everything that must happen once. Safe to run twice: an ended task is left as it is.

local rules, id, number, status = cjson.decode(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local age_ms = tonumber(ARGV[5])
local task = read_task(id)

local may_end = task.status == 'in_progress'
  or (status == 'failed' and (task.status == 'sending' or task.status == 'unknown'))
if task.claim ~= number or not may_end then return {0, {}, {}} end

-- How long it took is known as a span: after the last look that found it running (look_again.lua),
-- up to this one; with the time now. So many of the latest are kept as learning.py reads. They are
-- spread over somewhat longer than a task takes: of tasks that began together, those that end
-- about now all took about equally long, and it would be learned that all do. The distance grows
-- with the list, because something is to be known soon.
local KEPT, A_DURATION = 64, 48
local after_ms = tonumber(task.running_ms or 0)

-- The distance is by the one before: by this one's own age, short tasks would be kept more often.
local function too_close(name, now)
  local before = redis.call('LINDEX', name, 0)
  if not before then return false end
  local by_ms, at = before:match('^%d+ (%d+) (%d+)$')
  local full = redis.call('LLEN', name) / KEPT
  return now - tonumber(at) < full * tonumber(by_ms) / A_DURATION
end

if task.status == 'in_progress' and age_ms and age_ms > after_ms then
  local of_model, now = key('durations', task.provider, (split_class(task.class))), clock_ms()
  for _, name in ipairs({of_model, of_model .. ':' .. task.form}) do
    if not too_close(name, now) then
      redis.call('LPUSH', name, string.format('%d %d %d', after_ms, age_ms, now))
      redis.call('LTRIM', name, 0, KEPT - 1)
    end
  end
end

if task.status == 'sending' then heard(task) end
finish(id, task, status, status == 'completed' and 'charged' or 'free', {unpack(ARGV, 6)}, rules)

-- Two, because what ended freed a slot of an account and a place of a team, and the best task
-- for the one need not be the best for the other.
return {1, claim_next(2, clock_ms(), rules), ended()}
