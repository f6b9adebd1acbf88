-- ---- layout "zset"

local zset = {}

local function score(entry)
  local hi, lo = unpack_('>I4I4', entry)
  return hi * 1024 + math.floor(lo / 4194304)  -- milliseconds: exact in a double
end

function zset.get(key)
  local found = pcall_('ZRANGE', key, 0, 0)
  return found.err and found or found[1] or false
end

function zset.set(key, header, old)
  if header == old then return end
  call('ZADD', key, -1, header)
  call('ZREM', key, old)
end

function zset.create(key, header, keep, old)
  call('ZADD', key, -1, header)
  call('ZREMRANGEBYSCORE', key, 0, '+inf')
  if old and old ~= header then call('ZREM', key, old) end
  call('PEXPIRE', key, keep)
end

function zset.delete(key) return pcall_('DEL', key) end

-- Cut a row down to what it shows.
local function zset_trim(key, h, c)
  local cut = call('ZCARD', key) - 1 - c.shown
  if cut > 0 then
    raise(h, next_id(sub(call('ZRANGE', key, cut, cut)[1], 1, 8)))
    if h.settled > 0 then h.lost = h.lost + 1 end
    call('ZREMRANGEBYRANK', key, 1, cut)
  end
end

local function zset_push_slow(key, header, entry, c)
  local h, id = parse(header), sub(entry, 1, 8)
  local outcome = STORED
  if above(id, h.top) then
    call('ZADD', key, score(entry), entry)
    h.arrivals, h.top = h.arrivals + 1, id
  elseif above(h.floor, id) then
    outcome = OLDER
  else
    local new = call('ZADD', key, score(entry), entry)
    if call('ZREVRANK', key, entry) >= c.shown then
      outcome = OLDER
      raise(h, next_id(id))
      if new == 1 then call('ZREM', key, entry) end
    elseif new == 0 then
      return DUPLICATE
    else
      h.arrivals = h.arrivals + 1
      h.settled = h.arrivals
    end
  end
  local n = call('ZCARD', key)
  if outcome == OLDER then h.lost = h.lost + 1 end
  if n - 1 >= c.most then zset_trim(key, h, c) end
  zset.set(key, format(h), header)
  return outcome
end

function zset.push(key, entry, id, hi, lo, c)
  local header = zset.get(key)
  if not header then return ABSENT end
  if type(header) == 'table' then return ELSEWHERE end
  local th, tl, arrivals, touched = unpack_('>I4I4I4I8', header)
  if touched < c.cutoff then return INACTIVE end
  if arrivals % c.slack ~= 0 and (hi > th or (hi == th and lo > tl)) then
    call('ZADD', key, hi * 1024 + math.floor(lo / 4194304), entry, -1, id .. pack('>I4', arrivals + 1) .. sub(header, 13))
    call('ZREM', key, header)
    return STORED
  end
  return zset_push_slow(key, header, entry, c)
end

function zset.all(key) return call('ZRANGE', key, 1, -1) end

function zset.write(key, h, entries, old)
  settle(h, entries)
  zset.set(key, format(h), old)
  call('ZREMRANGEBYSCORE', key, 0, '+inf')
  for at = 1, #entries, AT_ONCE do
    local some = {}
    for i = at, math.min(at + AT_ONCE - 1, #entries) do
      some[#some + 1] = score(entries[i])
      some[#some + 1] = entries[i]
    end
    call('ZADD', key, unpack(some))
  end
end

function zset.remove(key, h, want, _, _, c)
  local found = {}
  for id in pairs(want) do
    local ms = score(id)
    for _, member in ipairs(call('ZRANGEBYSCORE', key, ms, ms)) do
      if sub(member, 1, 8) == id then found[#found + 1] = member end
    end
  end
  if #found == 0 then return h, 0 end
  zset_trim(key, h, c)
  local gone = 0
  for _, member in ipairs(found) do gone = gone + call('ZREM', key, member) end
  return h, gone
end

function zset.window(key, header, want, c)
  local n, cut = call('ZCARD', key) - 1, ''
  if want == 0 or want >= n or want > c.shown then return {header, '', 0, zset.all(key)} end
  if n > c.shown then cut = sub(call('ZRANGE', key, n - c.shown, n - c.shown)[1], 1, 8) end
  return {header, cut, 1, call('ZRANGE', key, -want, -1)}
end

