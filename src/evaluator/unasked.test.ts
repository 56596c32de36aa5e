import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ban, BanList } from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';
import { type IpAddress, parseIpAddress } from '../lib/ip-address.ts';
import { refusalUnasked } from './unasked.ts';

const BANNED = '192.0.2.66';
const NOW_MS = 1000;

const ban: Ban = {
  id: 'b-1',
  network: '192.0.2.66/32',
  sinceMs: 0,
  untilMs: NOW_MS + 1,
  reason: 'credential stuffing',
  by: 'ops@example.com',
};

/** Asked by the words of an address, as live bans are, and by the time given to it. */
const bans: Pick<BanList, 'find'> = {
  find: ({ family, d }: IpAddress, nowMs) =>
    family === 4 && d === addressOf(BANNED).d && nowMs < ban.untilMs ? ban : undefined,
};

function addressOf(text: string): IpAddress {
  const address = parseIpAddress(text);
  assert.ok(address);
  return address;
}

const asked = { client: BANNED, method: 'GET', expect: '', nowMs: NOW_MS };

function refusal(more: Partial<typeof asked>): ReturnType<typeof refusalUnasked> {
  const { client, method, expect, nowMs } = { ...asked, ...more };
  const clock = { now: () => nowMs, monotonic: () => 0 };
  return refusalUnasked({ method, expect }, { client: addressOf(client) }, { bans, clock });
}

describe('refused whatever the policies say', () => {
  const cases: [name: string, more: Partial<typeof asked>, code: string][] = [
    ['a banned address', {}, 'address-banned'],
    ['the same, spelt as IPv6', { client: `::ffff:${BANNED}` }, 'address-banned'],
    ['the same, spelt as IPv6 in hex', { client: '::ffff:c000:242' }, 'address-banned'],
    ['a ban goes before all else', { method: 'TRACE', expect: 'x' }, 'address-banned'],
    ['TRACE', { client: '192.0.2.1', method: 'TRACE' }, 'method-not-allowed'],
    ['an expectation that nobody knows', { client: '192.0.2.1', expect: 'x' }, 'expectation-failed'],
  ];
  for (const [name, more, code] of cases) {
    it(name, () => assert.equal(refusal(more)?.code, code));
  }

  it('a ban tells the caller neither why nor how long nor by whom; the record tells which', () => {
    const error = refusal({});
    assert.ok(error instanceof PolicyRejection);
    assert.equal(error.rule, 'ban:b-1');
    assert.deepEqual(error.headers, []);
    assert.doesNotMatch(error.detail, /stuffing|ops@|192\.0\.2|1001/);
  });
});

describe('not refused unasked', () => {
  it('another address', () => assert.equal(refusal({ client: '192.0.2.67' }), undefined));
  it('a ban that is over', () => assert.equal(refusal({ nowMs: ban.untilMs }), undefined));
  it('the expectation that is known', () =>
    assert.equal(refusal({ client: '192.0.2.1', expect: '100-Continue' }), undefined));
});
