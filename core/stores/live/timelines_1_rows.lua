#!lua name=twit_timelines_1
-- Cached home timelines inside Redis: what core/stores/live/redis_timelines.py asks of a node, many readers in one call. One library
-- in four files, put together in the order of their numbers: rows, the two layouts, the calls.
--
-- A row is one key: a header of 97 bytes (61 in a sorted set) and entries of 16 (id, id of what it retweets; big-endian). Layout "list": a list of entries
-- in order of arrival, the header last. Layout "zset": a sorted set by time and id, the header first. A row is never without its
-- key for a moment, not even inside a call: in a slot that is being moved, what is gone cannot be made again.
--
-- Keys are arguments, since those of one call lie in many slots. A key that is not this node's answers ELSEWHERE, for itself alone.
-- Ids have 63 bits, so they are never Lua numbers (doubles), and never compared as strings (Lua compares by the server's locale):
-- they are compared as two halves of 32 bits. Nothing here reads a clock: who lapses is told by the caller's `cutoff`.

local VERSION = 'twit_timelines_1'
local STORED, DUPLICATE, OLDER, INACTIVE, ABSENT, ELSEWHERE = '0', '1', '2', '3', '4', '9'
local BUILDING, COMPLETE = 1, 2
local ZERO, NONE = '\0\0\0\0\0\0\0\0', '\255\255\255\255\255\255\255\255'
local STEP = 32       -- arrivals between two checkpoints
local PART = 128      -- entries looked at in one go
local AT_ONCE = 1000  -- arguments of one command
local HEAD, REST = '>c8I4I8Bc8c8I8I4c8I4', '>I4c8I4c8I4c8'  -- 61 and 36 bytes; sorted sets need no rest, and keep small members small
local SHORT = 61
local call, pcall_, pack, unpack_, sub  -- set at the first call: while a library is loaded there is nothing but `redis.register_function`

local function ready()
  if not call then
    call, pcall_, pack, unpack_, sub = redis.call, redis.pcall, struct.pack, struct.unpack, string.sub
  end
end

-- ---- ids

local function above(a, b)
  local ah, al = unpack_('>I4I4', a)
  local bh, bl = unpack_('>I4I4', b)
  return ah > bh or (ah == bh and al > bl)
end

local function next_id(id)
  local hi, lo = unpack_('>I4I4', id)
  if lo == 4294967295 then return pack('>I4I4', hi + 1, 0) end
  return pack('>I4I4', hi, lo + 1)
end

local function former_id(id)
  local hi, lo = unpack_('>I4I4', id)
  if lo > 0 then return pack('>I4I4', hi, lo - 1) end
  return hi > 0 and pack('>I4I4', hi - 1, 4294967295) or ZERO
end

local function highest_of(entries)
  local highest, hi, lo = ZERO, 0, 0
  for _, entry in ipairs(entries) do
    local h, l = unpack_('>I4I4', entry)
    if h > hi or (h == hi and l > lo) then highest, hi, lo = entry, h, l end
  end
  return sub(highest, 1, 8)
end

-- Entries in rising order of id: as they are where they rise already.
local function rising(entries)
  local hi, lo, sorted = {}, {}, true
  local ph, pl = -1, -1
  for _, entry in ipairs(entries) do
    local h, l = unpack_('>I4I4', entry)
    hi[entry], lo[entry] = h, l
    if h < ph or (h == ph and l < pl) then sorted = false end
    ph, pl = h, l
  end
  if not sorted then
    table.sort(entries, function(a, b)
      local x, y = hi[a], hi[b]
      return x < y or (x == y and lo[a] < lo[b])
    end)
  end
  return entries
end

local function merged(one, other)
  local both, i, j = {}, 1, 1
  while i <= #one and j <= #other do
    if above(one[i], other[j]) then
      both[#both + 1] = other[j]
      j = j + 1
    else
      both[#both + 1] = one[i]
      i = i + 1
    end
  end
  for k = i, #one do both[#both + 1] = one[k] end
  for k = j, #other do both[#both + 1] = other[k] end
  return both
end

local function split(blob, size)
  local parts = {}
  for at = 1, #blob, size do parts[#parts + 1] = sub(blob, at, at + size - 1) end
  return parts
end

-- ---- the header
-- top: nothing new at or below it needs no search. floor: nothing above is missing. lost: pushes refused or cut off.
-- late_at: the last (arrivals - late_at) entries rise, and lie above all before them. late_min: the lowest that came late.
-- settled: order of arrival is known from here on. a0, c0: all but the last (arrivals - a0) entries are at most c0; a1, c1 follow.

local function parse(header)
  local h = {}
  h.top, h.arrivals, h.touched, h.state, h.epoch, h.floor, h.building, h.lost, h.stamp, h.settled = unpack_(HEAD, header)
  if #header > SHORT then h.late_at, h.late_min, h.a0, h.c0, h.a1, h.c1 = unpack_(REST, header, SHORT + 1) end
  return h
end

local function format(h)
  local header = pack(HEAD, h.top, h.arrivals, h.touched, h.state, h.epoch, h.floor, h.building, h.lost, h.stamp, h.settled)
  if not h.late_at then return header end
  return header .. pack(REST, h.late_at, h.late_min, h.a0, h.c0, h.a1, h.c1)
end

local function fresh(layout, state, now, epoch, stamp)
  local h = {top = ZERO, arrivals = 0, touched = now, state = state, epoch = epoch, floor = ZERO,
    building = state == BUILDING and now or 0, lost = 0, stamp = stamp, settled = 0}
  if layout.ordered_by_arrival then h.late_at, h.late_min, h.a0, h.c0, h.a1, h.c1 = 0, NONE, 0, ZERO, 0, ZERO end
  return format(h)
end

local function raise(h, floor)
  if above(floor, h.floor) then h.floor = floor end
  local below = former_id(floor)
  if above(below, h.top) then h.top = below end
end

local function checkpoint(h)
  if h.arrivals % STEP == 0 then
    h.a0, h.c0, h.a1, h.c1 = h.a1, h.c1, h.arrivals, h.top
  end
end

-- What a row's header says once it holds these entries, in rising order.
local function settle(h, entries)
  local n = #entries
  h.settled = h.arrivals
  if n > 0 and above(entries[n], h.top) then h.top = sub(entries[n], 1, 8) end
  if not h.late_at then return end
  h.late_at, h.late_min = h.arrivals - n, NONE
  local back = math.min(n, STEP)
  h.a0, h.c0 = h.arrivals - back, n > back and sub(entries[n - back], 1, 8) or ZERO
  h.a1, h.c1 = h.arrivals, h.top
end

