-- An operator did something that no other script writes down.
--
-- ARGV  who, action, on, before, after, reason, the most entries
-- Returns nothing. Run twice it writes two entries, which say the same.

write_audit(unpack(ARGV, 1, 7))
