-- One page of a team's tasks, in the order of their admission.
--
-- ARGV  rules, team, id of the task that the page follows ('' for none), 'asc' or 'desc', how many
--       at the most
-- Returns {1 if more follow else 0, then for each task {id, record as a flat list}}; nothing at all
-- if the task to follow is not the team's.

local team, after, most = ARGV[2], ARGV[3], tonumber(ARGV[5])
local index = key('tasks', team)
local from = ARGV[4] == 'asc' and '-inf' or '+inf'

if after ~= '' then
  local order = redis.call('ZSCORE', index, after)
  if not order then return {} end
  from = '(' .. order
end

local ids
if ARGV[4] == 'asc' then
  ids = redis.call('ZRANGEBYSCORE', index, from, '+inf', 'LIMIT', 0, most + 1)
else
  ids = redis.call('ZREVRANGEBYSCORE', index, from, '-inf', 'LIMIT', 0, most + 1)
end

local page = {#ids > most and 1 or 0}
for i = 1, math.min(#ids, most) do
  page[#page + 1] = {ids[i], redis.call('HGETALL', task_key(ids[i]))}
end
return page
