-- What a team has, and how long a new task of each class would wait.
--
-- ARGV  rules, team, then classes
-- Returns {places taken, cap, bytes waiting, then for each class: {tasks of the team that wait for
-- any of the slots that serve it, place of a new one (see place); its position is 0 if it would
-- start at once}}.

local rules, team, now, classes = cjson.decode(ARGV[1]), ARGV[2], clock_ms(), {}

for i = 3, #ARGV do
  local stands = place(ARGV[i], team, math.huge, now, rules)
  local waiting = stands[2] - 1
  if stands[1] <= stands[4] and stands[2] <= stands[6] then stands[1] = 0 end
  classes[#classes + 1] = {waiting, stands}
end
return {redis.call('SCARD', key('places', team)), cap_of(team),
  tonumber(redis.call('HGET', key('bytes'), team) or 0), unpack(classes)}
