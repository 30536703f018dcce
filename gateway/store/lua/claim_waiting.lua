-- queued -> claimed, for whatever has a slot free and no event that woke anybody: a rest that
-- ended, a trial that is due, a raised limit, a process that died with claims in its hands.
--
-- ARGV  rules, the most to claim
-- Returns claims as a flat list. Run twice it claims further tasks; those whose answer was lost
-- go back to their place when their lease runs out.

return claim_next(tonumber(ARGV[2]), clock_ms(), cjson.decode(ARGV[1]))
