import { hash } from 'node:crypto';
import { LUA_COUNTERS } from './lua-counters.ts';

/** A script as the store runs it: whole, at one instant, by its digest where it knows it. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

const script = (text: string): Script => Object.freeze({ text, sha1: hash('sha1', text, 'hex') });

/** Words of a charge in ARGV: its kind, its cost and what its rule says. */
const WORDS_OF_A_CHARGE = 6;
/** Numbers of an outcome in an answer: allowed, remaining, retryAfter (-1 for never), reset. */
export const NUMBERS_OF_AN_OUTCOME = 4;

/** KEYS: the counters. ARGV: time, then the charges. Charges all or none; answers with the outcomes and the time. */
export const CHARGE = script(`${LUA_COUNTERS}
local answer, charges, all = {}, {}, true
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * ${WORDS_OF_A_CHARGE}
  local cost = tonumber(ARGV[at + 1])
  local allowed, remaining, retry, reset, charge = ask(key, at, cost)
  all = all and allowed
  if cost > 0 then charges[#charges + 1] = charge end
  local to = (i - 1) * ${NUMBERS_OF_AN_OUTCOME}
  answer[to + 1], answer[to + 2], answer[to + 3], answer[to + 4] = allowed and 1 or 0, remaining, retry, reset
end
if all then for _, charge in ipairs(charges) do charge() end end
answer[#answer + 1] = now
return answer`);

/** KEYS: the counters. ARGV: time, when they were charged by the same clock, the charges. */
export const REFUND = script(`${LUA_COUNTERS}
local chargedAt = tonumber(ARGV[2])
for i, key in ipairs(KEYS) do refund(key, 3 + (i - 1) * ${WORDS_OF_A_CHARGE}, chargedAt) end
return 1`);

/**
 * KEYS: a counter. ARGV: time, what is needed, what is wanted, among how many what is free is shared, a charge. Takes what
 * is needed or nothing, and of what is wanted beyond it no more than a fair part of what is left. Answers with the
 * outcome, how much was taken, how long the window goes on that it was taken from (0: without windows), and the time.
 */
export const TAKE = script(`${LUA_COUNTERS}
local need, want, sharers = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local allowed, remaining, retry, reset = ask(KEYS[1], 5, need)
local taken = 0
if allowed then
  taken = need + math.max(0, math.min(want - need, math.floor(remaining / sharers)))
  if taken > 0 then
    local _, left, _, resetNow, charge = ask(KEYS[1], 5, taken)
    remaining, reset = left, resetNow
    charge()
  end
end
local goesOn = 0
if ARGV[5] == 's' then goesOn = tonumber(ARGV[8]) - now % tonumber(ARGV[8])
elseif ARGV[5] == 'f' then goesOn = math.max(0, reset) end
return { allowed and 1 or 0, remaining, retry, reset, taken, goesOn, now }`);

/** KEYS: a counter. ARGV: time, amount, window. Answers with the sum, as text: it need not be whole. */
export const TALLY = script(`${LUA_COUNTERS}
return text(tally(KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3])))`);

/** Numbers of a quota in an answer: start of its window, used, carried; all 0 where nothing is known of it. */
export const NUMBERS_OF_A_QUOTA = 3;

/** KEYS: quotas. ARGV: time, how long the window of each is. Changes nothing; answers with the numbers of each. */
export const READ_QUOTAS = script(`${LUA_COUNTERS}
local answer = {}
for i, key in ipairs(KEYS) do
  local start, used, carried = heldQuota(key, tonumber(ARGV[i + 1]))
  local to = (i - 1) * ${NUMBERS_OF_A_QUOTA}
  answer[to + 1], answer[to + 2], answer[to + 3] = start or 0, used or 0, carried or 0
end
return answer`);

/**
 * KEYS: a quota. ARGV: time, how long its window is, whether what was used is given back ("1"), how much is added to the
 * limit, and how much at most. Answers with 1 where it was changed, -1 where that would be too much, and the numbers as
 * they are then.
 */
export const CHANGE_QUOTA = script(`${LUA_COUNTERS}
local start, used, carried, idleAt = heldQuota(KEYS[1], tonumber(ARGV[2]))
if not start then return { 0, 0, 0, 0 } end
if ARGV[3] == '1' then used = 0 end
carried = carried + tonumber(ARGV[4])
if carried > tonumber(ARGV[5]) then return { -1, 0, 0, 0 } end
save(KEYS[1], start, used, carried, idleAt)
return { 1, start, used, carried }`);

const LUA_TIME = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * KEYS: the places of a slot, each with the time when it lapses. ARGV: how many, for how long, who asks.
 * Answers whether a place was taken, and how many are.
 */
export const ACQUIRE = script(`${LUA_TIME}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local held = redis.call('ZCARD', KEYS[1])
if held >= tonumber(ARGV[1]) then return { 0, held } end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 1, held + 1 }`);

/** KEYS: a slot each. ARGV: for how long, a holder each. Also one that had lapsed is held again: it is under way. */
export const RENEW = script(`${LUA_TIME}
for i, key in ipairs(KEYS) do
  redis.call('ZADD', key, now + tonumber(ARGV[1]), ARGV[i + 1])
  redis.call('PEXPIRE', key, ARGV[1])
end
return 1`);

/** KEYS: a slot. ARGV: a holder. */
export const RELEASE = script(`return redis.call('ZREM', KEYS[1], ARGV[1])`);

/** KEYS: the workers, the nodes. ARGV: for how long, worker, node. Answers how many workers and nodes live. */
export const BEAT = script(`${LUA_TIME}
for i = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  redis.call('ZADD', KEYS[i], now + tonumber(ARGV[1]), ARGV[i + 1])
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
return { redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]) }`);

/** KEYS: the workers. ARGV: a worker that ends. Its node lapses by itself, or lives on by its other workers. */
export const LEAVE = script(`return redis.call('ZREM', KEYS[1], ARGV[1])`);

/** KEYS: any. Whether the store would count again: also a replica that still thinks it may not write says no. */
export const PROBE = script(`redis.call('SET', KEYS[1], '1', 'PX', 1000) return 1`);
