-- The vendor was asked for a completed task's links once more, and this is what they are now.
--
-- ARGV  rules, task id, videos as JSON
-- Returns nothing. Safe to run twice.

local id = ARGV[2]

if redis.call('HGET', task_key(id), 'status') ~= 'completed' then return end
redis.call('HSET', task_key(id), 'videos', ARGV[3])
redis.call('HDEL', task_key(id), 'renewal_at_video', 'renewal_at_thumbnail')
tell('changed', id)
