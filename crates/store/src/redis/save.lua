-- Keeps a version of a session unless a newer one is there.
-- KEYS: the record, the index of its bucket. ARGV: member, ended, stamp, sealed record, garbage after, milliseconds to keep.
local function below(a, b)
  -- Byte by byte: the server compares strings by its locale.
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local there = redis.call('HMGET', KEYS[1], 'ended', 'stamp')
local ended, stamp = there[1], there[2]
if ended and stamp then
  if ended == '1' and ARGV[2] == '0' then return 0 end
  if ended == ARGV[2] and below(ARGV[3], stamp) then return 0 end
end
redis.call('HSET', KEYS[1], 'ended', ARGV[2], 'stamp', ARGV[3], 'record', ARGV[4], 'garbage_after', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 1
