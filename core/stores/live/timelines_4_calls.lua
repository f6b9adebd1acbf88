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
