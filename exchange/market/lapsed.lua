-- Lists holds whose lease ran out, the oldest first; changes nothing.
--
-- KEYS     1 holds, 2 leases of the buyer
-- ARGV     1 now in µs, 2 how many at most
-- Returns  {sale id, record…}, where a record begins with the lead id and a line feed

local sales = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
local answer = {}
for i = 1, #sales do
  local packed = redis.call('HGET', KEYS[1], sales[i])
  if packed then
    answer[#answer + 1] = sales[i]
    answer[#answer + 1] = packed
  end
end
return answer
