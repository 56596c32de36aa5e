-- A wrk script: one load whose requests go to the paths in turn, over connections that stay. Arguments: PID SETTLE SIZE
-- PATH… Of each turn SETTLE requests are sent first, so that no answer to the turn before is still under way, then SIZE
-- that count. After each turn it writes `turn INDEX NANOSECONDS`: the CPU time that the process PID, all of its threads,
-- used for those. The clock of a process tells nanoseconds, where /proc tells hundredths of a second.
local ffi = require('ffi')
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]]

local moment = ffi.new('moment[1]')
local clock, settle, last, requests
local at, sent, before = 1, 0, 0

-- As clock_getcpuclockid(3) makes it: the complement of the process id above three bits, here for what the scheduler counts.
local function clockOf(pid)
  return bit.bor(bit.lshift(bit.bnot(pid), 3), 2)
end

local function cpuNanoseconds()
  if ffi.C.clock_gettime(clock, moment) ~= 0 then error('the process has no clock') end
  return tonumber(moment[0].seconds) * 1e9 + tonumber(moment[0].nanoseconds)
end

function init(args)
  clock = clockOf(tonumber(args[1]))
  settle = tonumber(args[2])
  last = settle + tonumber(args[3])
  requests = {}
  for i = 4, #args do requests[#requests + 1] = wrk.format('GET', args[i]) end
end

function request()
  if sent == settle then before = cpuNanoseconds() end
  if sent == last then
    io.write(string.format('turn %d %.0f\n', at - 1, cpuNanoseconds() - before))
    at, sent = at % #requests + 1, 0
  end
  sent = sent + 1
  return requests[at]
end
