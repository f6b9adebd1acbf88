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

