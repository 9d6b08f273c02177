-- Reads all holds of one buyer; changes nothing.
--
-- KEYS     1 holds
-- ARGV     none
-- Returns  {sale id, record…}: lead id, who asked for it, end of the lease in µs, then for each line counter,
--          amount, kind; parted by line feeds

return redis.call('HGETALL', KEYS[1])
