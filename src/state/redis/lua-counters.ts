/**
 * The arithmetic of gcra.ts, sliding-window.ts and fixed-window.ts in Lua 5.1, whose numbers are the same doubles. A
 * counter is a text of four numbers: TIME, LEVEL, PREVIOUS and IDLE_AT of cells.ts. Functions called `ask` change nothing
 * and return allowed, remaining, retryAfter, reset and a function that charges.
 *
 * ARGV[1] is the time to count by; it is empty but for tests, and then the store's own clock is taken: nodes whose clocks
 * differ or step count alike. `keepAtLeast` keeps counters of tests longer than they take.
 */
export const LUA_COUNTERS = `
local now, keepAtLeast = tonumber(ARGV[1]), 60000
if not now then
  local time = redis.call('TIME')
  now, keepAtLeast = time[1] * 1000 + math.floor(time[2] / 1000), 1
end

local NEVER = -1
local REMEMBERED_WINDOWS = 8

-- Neither "nan" nor "inf", which Lua takes for numbers: what this did not write is a fault, and then nothing is admitted.
local NUMBER = '([-+.%de]+)'

local function text(number) return string.format('%.17g', number) end

local function load(key)
  local stored = redis.call('GET', key)
  if not stored then return 0, 0, 0, 0 end
  local time, level, previous, idleAt = string.match(stored, '^' .. NUMBER .. ' ' .. NUMBER .. ' ' .. NUMBER .. ' ' .. NUMBER .. '$')
  return tonumber(time), tonumber(level), tonumber(previous), tonumber(idleAt)
end

local function save(key, time, level, previous, idleAt)
  local keepMs = math.max(keepAtLeast, math.ceil(idleAt - now))
  redis.call('SET', key, text(time) .. ' ' .. text(level) .. ' ' .. text(previous) .. ' ' .. text(idleAt), 'PX', text(keepMs))
end

local function grace(window) return math.min(window, 1000) end

local function effective(last, window)
  if last > now and last - now <= window then return last end
  return now
end

local function drained(level, last, time, limit)
  return math.max(0, level - math.max(0, time - last) * limit)
end

local function saveGcra(key, time, level, limit, window)
  save(key, time, level, 0, time + math.ceil(level / limit) + grace(window))
end

local function askGcra(key, cost, limit, window, burst)
  local last, stored = load(key)
  local time = effective(last, window)
  local level = drained(stored, last, time, limit)
  local capacity, wanted, behind = burst * window, level + cost * window, time - now
  local allowed = wanted <= capacity
  local kept = allowed and wanted or level
  local retry = 0
  if not allowed then retry = cost > burst and NEVER or behind + math.ceil((wanted - capacity) / limit) end
  -- A clock that was set back is noted, or the lost time would have to pass again.
  if not allowed and now < last then saveGcra(key, time, level, limit, window) end
  return allowed, math.floor((capacity - kept) / window), retry, kept == 0 and 0 or behind + math.ceil(kept / limit),
    function() saveGcra(key, time, wanted, limit, window) end
end

local function refundGcra(key, cost, chargedAt, limit, window)
  local last, stored = load(key)
  local time = effective(last, window)
  if last == 0 or time < chargedAt then return end
  local owed = math.max(0, cost * window - (time - chargedAt) * limit)
  saveGcra(key, time, math.max(0, drained(stored, last, time, limit) - owed), limit, window)
end

-- Start of the window, what it and the one before were charged, the time.
local function roll(key, window)
  local last, level, previous = load(key)
  local time = effective(last, window)
  local start = time - time % window
  if start > last then
    previous = start - last == window and level or 0
    level = 0
  end
  return start, level, previous, time, last
end

local function countedWindows(previous, current) return current > 0 and 2 or previous > 0 and 1 or 0 end

local function saveSliding(key, start, level, previous, window)
  save(key, start, level, previous, start + countedWindows(previous, level) * window + grace(window))
end

local function askSliding(key, cost, limit, window)
  local start, level, previous, time, last = roll(key, window)
  local carried = previous * (window - (time - start))
  local wanted = level + cost
  local allowed = carried + wanted * window <= limit * window
  local current = allowed and wanted or level
  local retry = 0
  if not allowed then
    local room = limit - current - cost
    if cost > limit then retry = NEVER
    elseif room >= 0 then retry = start - now + window - math.floor(room * window / previous)
    else retry = start - now + 2 * window - math.floor((limit - cost) * window / current) end
  end
  if not allowed and start < last then saveSliding(key, start, level, previous, window) end
  return allowed, math.max(0, math.floor((limit * window - carried) / window) - current), retry,
    math.max(0, start + countedWindows(previous, current) * window - now),
    function() saveSliding(key, start, wanted, previous, window) end
end

local function refundSliding(key, cost, chargedAt, window)
  local start, level, previous = roll(key, window)
  local behind = start - (chargedAt - chargedAt % window)
  if behind == 0 then level = math.max(0, level - cost)
  elseif behind == window then previous = math.max(0, previous - cost) end
  saveSliding(key, start, level, previous, window)
end

local function tally(key, amount, window)
  local start, level, previous, time = roll(key, window)
  level = level + amount
  saveSliding(key, start, level, previous, window)
  return level + previous * (window - (time - start)) / window
end

-- PREVIOUS of a quota that was as one never charged when its window began.
local NEW = -1

local function carriedInto(last, level, previous, limit, start, length, carryOver)
  if carryOver == 0 then return NEW end
  local windows = math.floor((start - last) / length + 0.5)
  if windows > REMEMBERED_WINDOWS then return NEW end
  local left = math.max(0, limit + math.max(0, previous) - level)
  return math.min(carryOver, left + math.max(0, windows - 1) * limit)
end

local function askFixed(key, cost, limit, start, finish, carryOver)
  local last, used, previous, idleAt = load(key)
  local length = finish - start
  local known = last ~= 0 and idleAt > now
  -- The node's clock names another window than the store's is in: the one that is counted in, or the one around now.
  if now < start or now >= finish then
    if known and last <= now and now < last + length then start = last
    else start = start + math.floor((now - start) / length) * length end
    finish = start + length
  end
  if known and last >= start and last - start <= length then start, finish = last, finish + last - start
  elseif known and last < start then used, previous = 0, carriedInto(last, used, previous, limit, start, length, carryOver)
  else used, previous, idleAt = 0, NEW, 0 end
  local most = limit + math.max(0, previous)
  local allowed = cost == 0 or used + cost <= most
  local kept = allowed and used + cost or used
  local endsIn = math.max(0, finish - now)
  local retry = 0
  if not allowed then
    local left = previous == NEW and used == 0 and 0 or most - used
    retry = cost > limit + math.min(carryOver, math.max(0, left)) and NEVER or endsIn
  end
  return allowed, math.max(0, most - kept), retry, kept == 0 and 0 or endsIn, function()
    local untilMs = carryOver > 0 and finish + REMEMBERED_WINDOWS * length or finish
    save(key, start, used + cost, previous, math.max(idleAt, untilMs + grace(length)))
  end
end

local function refundFixed(key, cost, chargedAt, start)
  local last, level, previous, idleAt = load(key)
  if last ~= start or chargedAt < start then return end
  level = math.max(0, level - cost)
  if level == 0 and previous == NEW then redis.call('DEL', key)
  else save(key, last, level, previous, idleAt) end
end

-- A quota whose window, so long, has not ended; nothing where nothing is known of it.
local function heldQuota(key, length)
  local start, used, previous, idleAt = load(key)
  if start == 0 or idleAt <= now or start + length <= now then return nil end
  return start, used, math.max(0, previous), idleAt
end

-- A charge is a kind and five numbers from ARGV[at] on.
local function ask(key, at, cost)
  local kind, a, b, c, d = ARGV[at], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  if kind == 'g' then return askGcra(key, cost, a, b, c) end
  if kind == 's' then return askSliding(key, cost, a, b) end
  return askFixed(key, cost, a, b, c, d)
end

local function refund(key, at, chargedAt)
  local kind, cost, a, b = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if kind == 'g' then return refundGcra(key, cost, chargedAt, a, b) end
  if kind == 's' then return refundSliding(key, cost, chargedAt, b) end
  return refundFixed(key, cost, chargedAt, b)
end
`;
