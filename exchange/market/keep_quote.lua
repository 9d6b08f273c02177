-- Keeps what a seller was quoted for a ping; a later quote takes its place.
--
-- Idempotent.
-- KEYS     1 the ping's digest
-- ARGV     1 what is kept, 2 how long in ms
-- Returns  1

redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
