-- Moves a damaged record out of the way unless it was replaced meanwhile.
-- KEYS: the record, the index of its bucket, the damaged ones of its bucket. ARGV: member, the damaged bytes.
if redis.call('HGET', KEYS[1], 'record') == ARGV[2] then
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 1
end
return 0
