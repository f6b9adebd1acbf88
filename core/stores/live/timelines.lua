#!lua name=twit_timelines_1
-- Cached home timelines inside Redis: what core/stores/live/redis_timelines.py asks of a node, many readers in one call.
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

-- ---- layout "list"

local list = {ordered_by_arrival = true}
local FIRST = ZERO .. ZERO  -- what an empty row holds, so that its header can be taken out: no entry, for no id is 0

function list.get(key) return pcall_('LINDEX', key, -1) end

function list.set(key, header) call('LSET', key, -1, header) end

function list.create(key, header, keep)
  call('RPUSH', key, FIRST, header)
  call('LTRIM', key, -2, -1)
  call('PEXPIRE', key, keep)
end

function list.delete(key) return pcall_('DEL', key) end

-- Give a row whose header is taken out these entries, rising, and its header.
local function list_write(key, h, entries)
  settle(h, entries)
  if #entries == 0 then entries = {FIRST} end
  for at = 1, #entries, AT_ONCE do call('RPUSH', key, unpack(entries, at, math.min(at + AT_ONCE - 1, #entries))) end
  call('RPUSH', key, format(h))
  call('LTRIM', key, -#entries - 1, -1)
end

-- Cut a row down to what it shows: by place where the lowest ids are known to lie first, else by sorting it all.
local function list_trim(key, c)
  local cut = call('LLEN', key) - 1 - c.shown
  if cut <= 0 then return end
  local h = parse(call('RPOP', key))
  local highest = highest_of(call('LRANGE', key, 0, cut - 1))
  if above(h.late_min, highest) then
    call('LTRIM', key, cut, -1)
    if highest ~= ZERO then raise(h, next_id(highest)) end
    call('RPUSH', key, format(h))
    return
  end
  local held = rising(call('LRANGE', key, 0, -1))
  if held[cut] ~= FIRST then raise(h, next_id(sub(held[cut], 1, 8))) end
  h.lost = h.lost + 1
  local shown = {}
  for i = cut + 1, #held do shown[#shown + 1] = held[i] end
  list_write(key, h, shown)
end

-- What is not simply newer than all there is; the header is taken out.
local function list_push_slow(key, header, entry, c)
  local h, id = parse(header), sub(entry, 1, 8)
  if not above(id, h.top) then
    if above(h.floor, id) then
      h.lost = h.lost + 1
      call('RPUSH', key, format(h))
      return OLDER
    end
    local held
    if above(id, h.c0) then
      held = h.arrivals > h.a0 and call('LRANGE', key, h.a0 - h.arrivals, -1) or {}
    else
      held = call('LRANGE', key, 0, -1)
    end
    local newer, there = 0, false
    local hi, lo = unpack_('>I4I4', id)
    for _, other in ipairs(held) do
      local oh, ol = unpack_('>I4I4', other)
      if oh > hi or (oh == hi and ol > lo) then newer = newer + 1 end
      if oh == hi and ol == lo then there = true end
    end
    if newer >= c.shown then
      raise(h, next_id(id))
      h.lost = h.lost + 1
      call('RPUSH', key, format(h))
      return OLDER
    end
    if there then
      call('RPUSH', key, header)
      return DUPLICATE
    end
    checkpoint(h)
    h.arrivals = h.arrivals + 1
    h.late_at = h.arrivals
    if above(h.late_min, id) then h.late_min = id end
  else
    checkpoint(h)
    h.arrivals, h.top = h.arrivals + 1, id
  end
  if call('RPUSH', key, entry, format(h)) - 1 > c.most then list_trim(key, c) end
  return STORED
end

function list.push(key, entry, id, hi, lo, c)
  local header = pcall_('RPOP', key)
  if not header then return ABSENT end
  if type(header) == 'table' then return ELSEWHERE end
  local th, tl, arrivals, touched = unpack_('>I4I4I4I8', header)
  if touched < c.cutoff then
    call('RPUSH', key, header)
    return INACTIVE
  end
  if arrivals % STEP ~= 0 and (hi > th or (hi == th and lo > tl)) then
    local n = call('RPUSH', key, entry, id .. pack('>I4', arrivals + 1) .. sub(header, 13))
    if n - 1 > c.most then list_trim(key, c) end
    return STORED
  end
  return list_push_slow(key, header, entry, c)
end

function list.all(key)
  local entries = call('LRANGE', key, 0, -2)
  if entries[1] == FIRST then table.remove(entries, 1) end
  return entries
end

function list.write(key, h, entries)
  call('RPOP', key)
  list_write(key, h, entries)
end

-- Entries of `want` that the row holds, looked for from its newest end.
local function list_find(key, h, want, left, lowest)
  local found, n = {}, call('LLEN', key) - 1
  local pos = n
  while pos > 0 and left > 0 do
    local from = math.max(1, pos - PART + 1)
    local part = call('LRANGE', key, from - 1, pos - 1)
    for _, entry in ipairs(part) do
      if want[sub(entry, 1, 8)] then
        found[#found + 1] = entry
        left = left - 1
      end
    end
    if n - from + 1 <= h.arrivals - h.late_at and above(lowest, part[1]) then break end
    pos = from - 1
  end
  return found
end

function list.remove(key, h, want, left, lowest, c)
  local found = list_find(key, h, want, left, lowest)
  if #found == 0 then return h, 0 end
  list_trim(key, c)
  h = parse(call('LINDEX', key, -1))
  local gone = 0
  for _, entry in ipairs(found) do gone = gone + call('LREM', key, -1, entry) end
  if call('LLEN', key) == 1 then call('LPUSH', key, FIRST) end
  h.late_at = math.min(h.arrivals, h.late_at + gone)
  return h, gone
end

-- The newest `want` of a row, where they are known to lie last; else all of it. Also the newest id that does not show.
function list.window(key, header, want, c)
  local n, h, cut = call('LLEN', key) - 1, parse(header), ''
  local enough = want > 0 and want < n and want <= c.shown and want <= h.arrivals - h.late_at
  if enough and n > c.shown then
    cut = highest_of(call('LRANGE', key, 0, n - c.shown - 1))
    enough = above(h.late_min, cut)
  end
  if enough then return {header, cut, 1, call('LRANGE', key, -want - 1, -2)} end
  return {header, '', 0, list.all(key)}
end

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

-- ---- what both layouts have in common

local function context(args)
  local shown, slack = tonumber(args[3]), tonumber(args[4])
  return {cutoff = tonumber(args[1]), keep = args[2], shown = shown, slack = slack, most = shown + slack}, 5
end

-- cutoff keep shown slack, then groups of: entry, how many readers, their rows. One outcome a row.
local function push(layout, args)
  local c, at = context(args)
  local outcomes, put_one = {}, layout.push
  while at <= #args do
    local entry, n = args[at], tonumber(args[at + 1])
    local id, hi, lo = sub(entry, 1, 8), unpack_('>I4I4', entry)
    for i = at + 2, at + 1 + n do outcomes[#outcomes + 1] = put_one(args[i], entry, id, hi, lo, c) end
    at = at + 2 + n
  end
  return table.concat(outcomes)
end

-- Several entries into one row, at once: its header (for ELSEWHERE and so on see `push`) and one outcome an entry.
local function merge_row(layout, key, entries, floor, c)
  local header = layout.get(key)
  if not header then return string.rep(ABSENT, #entries) end
  if type(header) == 'table' then return ELSEWHERE end
  local h = parse(header)
  if h.touched < c.cutoff then return string.rep(INACTIVE, #entries) end
  if above(floor, h.floor) then
    raise(h, floor)
    h.lost = h.lost + 1
  end
  local held, there, added, outcomes = layout.all(key), {}, {}, {}
  for _, entry in ipairs(held) do there[sub(entry, 1, 8)] = true end
  for i, entry in ipairs(entries) do
    local id = sub(entry, 1, 8)
    outcomes[i] = above(h.floor, id) and OLDER or there[id] and DUPLICATE or STORED
    if outcomes[i] == STORED then added[#added + 1] = entry end
    there[id] = true
  end
  local both, count = merged(rising(held), rising(added)), 0
  local cut = math.max(0, #both - c.shown)
  if cut > 0 then raise(h, next_id(sub(both[cut], 1, 8))) end
  for i, entry in ipairs(entries) do
    if above(h.floor, entry) then outcomes[i] = OLDER end
    if outcomes[i] == STORED then count = count + 1 end
  end
  outcomes = table.concat(outcomes)
  if cut > 0 or string.find(outcomes, OLDER, 1, true) then h.lost = h.lost + 1 end
  if count == 0 then
    layout.set(key, format(h), header)
    return outcomes
  end
  local shown = {}
  for i = cut + 1, #both do shown[#shown + 1] = both[i] end
  h.arrivals = h.arrivals + count
  layout.write(key, h, shown, header)
  return outcomes
end

-- cutoff keep shown slack, floor, entries in one piece, rows. A string of outcomes a row.
local function merge(layout, args)
  local c, at = context(args)
  local answers, entries = {}, split(args[at + 1], 16)
  for i = at + 2, #args do answers[#answers + 1] = merge_row(layout, args[i], entries, args[at], c) end
  return answers
end

-- The index says who has rows. It is put right by `touch` and `residents`: a row never waits for it.
local function place_of(key)
  local ns, tag, reader = string.match(key, '^(.*):[tz]:({%x+}):(%d+)$')
  return ns .. ':r:' .. tag, reader
end

-- Of a slot that is just coming here the index may still be at the other node: two of it would stop the move.
local function enlist(key, here)
  if here ~= '1' then return end
  local index, reader = place_of(key)
  pcall_('ZADD', index, reader, reader)
end

-- cutoff keep shown slack, now, state, epoch, stamp, whether to enlist, rows. Only where no live row is, when `state` is complete.
local function begin(layout, args)
  local c, at = context(args)
  local now, state = tonumber(args[at]), tonumber(args[at + 1])
  local header, outcomes = fresh(layout, state, now, args[at + 2], args[at + 3]), {}
  for i = at + 5, #args do
    local key = args[i]
    local old = layout.get(key)
    if type(old) == 'table' then
      outcomes[#outcomes + 1] = ELSEWHERE
    else
      if state == BUILDING or not old or parse(old).touched < c.cutoff then
        layout.create(key, header, c.keep, old)
        enlist(key, args[at + 4])
      end
      outcomes[#outcomes + 1] = STORED
    end
  end
  return table.concat(outcomes)
end

-- cutoff keep shown slack, now, whether to enlist, rows.
local function touch(layout, args)
  local c, at = context(args)
  local now, outcomes = tonumber(args[at]), {}
  for i = at + 2, #args do
    local key = args[i]
    local header = layout.get(key)
    outcomes[#outcomes + 1] = type(header) == 'table' and ELSEWHERE or STORED
    if type(header) == 'string' then
      local touched = unpack_('>I8', header, 13)
      if touched >= c.cutoff and touched < now then
        layout.set(key, sub(header, 1, 12) .. pack('>I8', now) .. sub(header, 21), header)
        call('PEXPIRE', key, c.keep)
        enlist(key, args[at + 1])
      end
    end
  end
  return table.concat(outcomes)
end

-- rows.
local function drop(layout, args)
  local outcomes = {}
  for i, key in ipairs(args) do
    outcomes[i] = type(layout.delete(key)) == 'table' and ELSEWHERE or STORED
    local index, reader = place_of(key)
    if outcomes[i] == STORED then pcall_('ZREM', index, reader) end
  end
  return table.concat(outcomes)
end

-- cutoff keep shown slack, epoch, ids in one piece (rising), rows. How many went, a row; -1: elsewhere.
local function remove(layout, args)
  local c, at = context(args)
  local ids, want, answers = split(args[at + 1], 8), {}, {}
  for _, id in ipairs(ids) do want[id] = id ~= ZERO or nil end
  for i = at + 2, #args do
    local key, gone = args[i], 0
    local header = layout.get(key)
    if type(header) == 'table' then
      gone = -1
    elseif header then
      local h
      h, gone = layout.remove(key, parse(header), want, #ids, ids[1] or NONE, c)
      h.epoch = args[at]
      layout.set(key, format(h), header)
    end
    answers[#answers + 1] = gone
  end
  return answers
end

-- KEYS[1] a row; cutoff keep shown slack, the most that is wanted (0: all). false: absent.
local function read(layout, args, keys)
  local c, at = context(args)
  local header = layout.get(keys[1])
  if not header or type(header) == 'table' then return header end
  return layout.window(keys[1], header, tonumber(args[at]), c)
end

-- KEYS[1] a row; cutoff keep shown slack, epoch, arrivals, lost, new epoch, floor, entries in one piece (rising).
-- 0 done, 1 the row has come on since, 2 it is another or none.
local function swap(layout, args, keys)
  local c, at = context(args)
  local key = keys[1]
  local header = layout.get(key)
  if type(header) == 'table' then return header end
  local h = header and parse(header)
  if h and h.epoch == args[at + 3] then return 0 end  -- it was asked for before, and the answer was lost
  if not h or h.touched < c.cutoff or h.epoch ~= args[at] then return 2 end
  if h.arrivals ~= tonumber(args[at + 1]) or h.lost ~= tonumber(args[at + 2]) then return 1 end
  local entries = split(args[at + 5], 16)
  h.top, h.arrivals, h.state, h.epoch = ZERO, #entries, COMPLETE, args[at + 3]
  h.floor, h.building, h.lost = args[at + 4], 0, 0
  if above(h.floor, ZERO) then h.top = former_id(h.floor) end
  layout.write(key, h, entries, header)
  return 0
end

-- cutoff keep shown slack, namespace, letter of the layout, after, most of each, tags. A list a tag: the last id looked at
-- (0: there are no more), then those who have a live row. Whoever has none at all is taken off the index.
local function residents(layout, args)
  local c, at = context(args)
  local ns, letter, after, most = args[at], args[at + 1], args[at + 2], tonumber(args[at + 3])
  local answers = {}
  for i = at + 4, #args do
    local tag = '{' .. args[i] .. '}'
    local index, answer = ns .. ':r:' .. tag, {0}
    local ids = pcall_('ZRANGEBYSCORE', index, '(' .. after, '+inf', 'LIMIT', 0, most)
    if ids.err then
      answers[#answers + 1] = {-1}
    else
      if #ids == most then answer[1] = tonumber(ids[#ids]) end
      for _, reader in ipairs(ids) do
        local header = layout.get(ns .. ':' .. letter .. ':' .. tag .. ':' .. reader)
        if type(header) == 'string' then
          if unpack_('>I8', header, 13) >= c.cutoff then answer[#answer + 1] = tonumber(reader) end
        elseif not header then
          call('ZREM', index, reader)
        end
      end
      answers[#answers + 1] = answer
    end
  end
  return answers
end

-- namespace, letter, tag, stamp, after, most. Takes away rows that were not begun under this stamp; the last id looked at, 0 at the end.
local function forget(layout, args)
  local ns, letter, tag, stamp = args[1], args[2], '{' .. args[3] .. '}', args[4]
  local index, most = ns .. ':r:' .. tag, tonumber(args[6])
  local ids = call('ZRANGEBYSCORE', index, '(' .. args[5], '+inf', 'LIMIT', 0, most)
  for _, reader in ipairs(ids) do
    local key = ns .. ':' .. letter .. ':' .. tag .. ':' .. reader
    local header = layout.get(key)
    if type(header) == 'string' and parse(header).stamp ~= stamp then
      layout.delete(key)
      call('ZREM', index, reader)
    end
  end
  return #ids == most and tonumber(ids[#ids]) or 0
end

local WRITES, READS = {'allow-cross-slot-keys'}, {'no-writes', 'allow-cross-slot-keys'}

local function register(name, layout)
  local function add(verb, callback, flags)
    redis.register_function{function_name = VERSION .. '_' .. name .. '_' .. verb, flags = flags, callback = function(keys, args)
      ready()
      return callback(layout, args, keys)
    end}
  end
  add('push', push, WRITES)
  add('merge', merge, WRITES)
  add('begin', begin, WRITES)
  add('touch', touch, WRITES)
  add('drop', drop, WRITES)
  add('remove', remove, WRITES)
  add('residents', residents, WRITES)
  add('forget', forget, WRITES)
  add('read', read, READS)
  add('swap', swap, WRITES)
end

register('list', list)
register('zset', zset)
