-- Removes what is garbage, and what the server dropped by itself from the index.
-- KEYS: the index of a bucket, then records. ARGV: now, then a member for each record.
local purged = 0
for i = 2, #KEYS do
  local garbage_after = redis.call('HGET', KEYS[i], 'garbage_after')
  if not garbage_after then
    redis.call('ZREM', KEYS[1], ARGV[i])
  elseif tonumber(garbage_after) < tonumber(ARGV[1]) then
    redis.call('DEL', KEYS[i])
    redis.call('ZREM', KEYS[1], ARGV[i])
    purged = purged + 1
  end
end
return purged
