-- Makes a claim last: its lead was sold, so the person counts for the whole window.
--
-- Idempotent but for the window, which begins anew. What another lead has meanwhile stays its own.
-- KEYS     every key that the lead claimed
-- ARGV     1 lead id, 2 the window in ms, 3 'all' where nothing stays another lead's: its claim may
--          be older than what the ledger knows
-- Returns  how many keys are kept

local kept = 0
local holders = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  if not holders[i] or holders[i] == ARGV[1] or ARGV[3] == 'all' then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    kept = kept + 1
  end
end
return kept
