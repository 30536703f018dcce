-- unknown | in_progress -> failed, by an operator's hand: the slot is free although nothing proves
-- that the vendor is done. Written into the audit first.
--
-- ARGV  rules, task id, status that the operator saw, who, reason, most entries of the audit,
--       then fields and values to remember
-- Returns {1 if it was released, 0 if it is no longer in that status; what ended (see `ended`)}. Safe
-- to run twice.

local rules, id, seen = cjson.decode(ARGV[1]), ARGV[2], ARGV[3]
local who, reason, most = ARGV[4], ARGV[5], ARGV[6]
local task = read_task(id)

if task.status ~= seen or (seen ~= 'unknown' and seen ~= 'in_progress') then return {0, {}} end

write_audit(who, 'slots.release', id, seen, 'failed', reason, most)
finish(id, task, 'failed', 'unknown', {unpack(ARGV, 7)}, rules)
return {1, ended()}
