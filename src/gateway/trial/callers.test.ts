import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachmentOf } from '../../../test/fixtures/data-plane.ts';
import {
  CALLER_GROUPS,
  type CredentialFields,
  type Identity,
  type RequestView,
} from '../../contract/index.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { type IpAddress, parseIpAddress } from '../../lib/ip-address.ts';
import { CallerHash } from './caller-hash.ts';
import { Callers } from './callers.ts';
import { Cohort } from './cohort.ts';

const address = (text: string): IpAddress => {
  const parsed = parseIpAddress(text);
  assert.ok(parsed);
  return parsed;
};

interface Sent {
  readonly headers?: readonly string[];
  readonly query?: string;
  readonly client?: string;
  readonly thumbprint?: string;
}

const request = ({ headers = [], query = '', client = '192.0.2.1', thumbprint }: Sent): RequestView => ({
  id: 'r',
  method: 'GET',
  scheme: 'https',
  host: 'a.test',
  authority: 'a.test',
  target: '/',
  path: '/',
  query,
  headers: new HeaderList([...headers]),
  httpVersion: '1.1',
  client: address(client),
  peer: address(client),
  certificate:
    thumbprint === undefined
      ? undefined
      : {
          subject: '',
          commonName: '',
          issuer: '',
          serial: '',
          names: { dns: [], uris: [], emails: [] },
          thumbprint,
          expiresAtMs: 0,
        },
});

const identity = (consumer: string, more: Partial<Identity> = {}): Identity => ({
  consumer,
  groups: [],
  scopes: [],
  claims: {},
  ...more,
});

const FIELDS: CredentialFields = {
  headers: ['authorization', 'x-api-key', 'signature', 'signature-input', 'dpop'],
  query: ['key'],
};
const HASH = new CallerHash('rollout-1');
const make = (fields: CredentialFields | undefined = FIELDS, maxKnown?: number): Callers => {
  const policy = fields === undefined ? {} : { credentialFields: fields };
  return new Callers(HASH, [attachmentOf({ policy }, 0)], maxKnown);
};

describe('who is one caller', () => {
  const same: { name: string; one: Sent; other: Sent }[] = [
    { name: 'an address', one: {}, other: {} },
    { name: 'an IPv6 /64', one: { client: '2001:db8::1' }, other: { client: '2001:db8::ffff:1' } },
    {
      name: 'a key, from wherever',
      one: { headers: ['X-Api-Key', 'k1'] },
      other: { headers: ['x-api-key', 'k1'], client: '192.0.2.9' },
    },
    {
      name: 'a key, whatever else is sent',
      one: { headers: ['X-Api-Key', 'k1'] },
      other: {
        headers: ['X-Api-Key', 'k1', 'User-Agent', 'x', 'X-Forwarded-For', '10.0.0.1', 'Cookie', 'a=b'],
      },
    },
    { name: 'a certificate', one: { thumbprint: 't1' }, other: { thumbprint: 't1', client: '192.0.2.9' } },
    {
      name: 'who signs each request anew with one key',
      one: { headers: ['Signature', 'sig=:AA==:', 'Signature-Input', 'sig=();created=1;keyid="k1"'] },
      other: { headers: ['Signature', 'sig=:BB==:', 'Signature-Input', 'sig=();created=2;keyid="k1"'] },
    },
    {
      name: 'a token, whatever proves its possession',
      one: { headers: ['Authorization', 'DPoP t1', 'DPoP', 'p1'] },
      other: { headers: ['Authorization', 'DPoP t1', 'DPoP', 'p2'] },
    },
    {
      name: 'strangers of one address, whatever their cookies',
      one: { headers: ['Cookie', 'a=1'] },
      other: { headers: ['Cookie', 'a=2'] },
    },
    {
      name: 'one who sends what no credential can be as long as',
      one: {},
      other: { headers: ['X-Api-Key', 'k'.repeat(20_000)] },
    },
  ];
  for (const { name, one, other } of same) {
    it(name, () => assert.equal(make().of(request(one)).key, make().of(request(other)).key));
  }

  const others: { name: string; one: Sent; other: Sent }[] = [
    { name: 'an IPv4 address', one: {}, other: { client: '192.0.2.2' } },
    { name: 'an IPv6 /64', one: { client: '2001:db8::1' }, other: { client: '2001:db8:0:1::1' } },
    { name: 'a key', one: { headers: ['X-Api-Key', 'k1'] }, other: { headers: ['X-Api-Key', 'k2'] } },
    { name: 'a key in the query', one: { query: 'key=k1' }, other: { query: 'key=k2' } },
    { name: 'where a key stands', one: { headers: ['X-Api-Key', 'k1'] }, other: { query: 'key=k1' } },
    { name: 'a certificate', one: { thumbprint: 't1' }, other: { thumbprint: 't2' } },
    {
      name: 'a key that signs',
      one: { headers: ['Signature-Input', 'sig=();keyid="k1"'] },
      other: { headers: ['Signature-Input', 'sig=();keyid="k2"'] },
    },
  ];
  for (const { name, one, other } of others) {
    it(`another with another: ${name}`, () =>
      assert.notEqual(make().of(request(one)).key, make().of(request(other)).key));
  }

  it('a header that no policy reads for a credential tells nobody apart', () => {
    const callers = make({ headers: ['x-api-key'], query: [] });
    const one = callers.of(request({ headers: ['Authorization', 'Bearer a'] }));
    assert.equal(one.key, callers.of(request({ headers: ['Authorization', 'Bearer b'] })).key);
    assert.equal(one.mark, undefined);
  });

  it('a credential that says of itself what a consumer is called is not that consumer', () => {
    const callers = make();
    const mark = callers.of(request({ headers: ['X-Api-Key', 'k1'] })).mark;
    assert.ok(mark !== undefined);
    callers.learn(mark, identity('mobile'), request({}).client);
    const known = callers.of(request({ headers: ['X-Api-Key', 'k1'] })).key;
    for (const value of ['mobile', 'consumer mobile', known])
      assert.notEqual(callers.of(request({ headers: ['X-Api-Key', value] })).key, known);
  });
});

const learn = (callers: Callers, sent: Sent, who: Identity) => {
  const { mark } = callers.of(request(sent));
  assert.ok(mark !== undefined);
  callers.learn(mark, who, request(sent).client);
};

describe('a crowd', () => {
  const crowdOf = (callers: Callers, key: string, client = '192.0.2.1'): string =>
    callers.of(request({ headers: ['X-Api-Key', key], client })).crowd;

  it('is all that a network makes up', () => {
    const callers = make();
    const crowds = Array.from({ length: 100 }, (_, i) => crowdOf(callers, `k${i}`, `192.0.2.${i}`));
    assert.equal(new Set(crowds).size, 1);
    assert.notEqual(crowdOf(callers, 'k1', '192.0.3.1'), crowds[0]);
    assert.equal(crowdOf(callers, 'k1', '2001:db8:0:1::1'), crowdOf(callers, 'k2', '2001:db8:0:ffff::1'));
  });

  it('is each credential of a network from which somebody has proved one', () => {
    const callers = make();
    learn(callers, { headers: ['X-Api-Key', 'real'] }, identity('mobile'));
    assert.notEqual(crowdOf(callers, 'k1'), crowdOf(callers, 'k2'));
    assert.equal(crowdOf(callers, 'k1', '198.51.100.1'), crowdOf(callers, 'k2', '198.51.100.1'));
  });

  it('is not told apart by a name for having presented nothing', () => {
    const callers = make();
    learn(callers, { headers: ['X-Api-Key', 'k'] }, identity('guest', { anonymous: true }));
    assert.equal(crowdOf(callers, 'k1'), crowdOf(callers, 'k2'));
  });

  it('of who is known is that caller alone', () => {
    const callers = make();
    learn(callers, { headers: ['X-Api-Key', 'real'] }, identity('mobile'));
    for (const sent of [{}, { headers: ['X-Api-Key', 'real'] }]) {
      const { crowd, key } = callers.of(request(sent));
      assert.equal(crowd, key);
    }
  });
});

describe('a consumer', () => {
  it('is one caller with all its credentials once they are known', () => {
    const callers = make();
    learn(callers, { headers: ['X-Api-Key', 'k1'] }, identity('mobile'));
    learn(callers, { headers: ['Authorization', 'Bearer t'] }, identity('mobile'));
    const first = callers.of(request({ headers: ['X-Api-Key', 'k1'] }));
    assert.equal(first.consumer, 'mobile');
    assert.equal(callers.of(request({ headers: ['Authorization', 'Bearer t'] })).key, first.key);
    assert.notEqual(callers.of(request({ headers: ['X-Api-Key', 'k3'] })).key, first.key);
  });

  it('is known by its cookies, too, and by nothing else of them', () => {
    const callers = make();
    learn(callers, { headers: ['Cookie', 'session=s'] }, identity('ann'));
    assert.equal(callers.of(request({ headers: ['Cookie', 'session=s'] })).consumer, 'ann');
    assert.equal(callers.of(request({ headers: ['Cookie', 'session=t'] })).consumer, undefined);
  });

  it('is not who goes by a name for having presented nothing', () => {
    const callers = make();
    learn(callers, { headers: ['X-Api-Key', 'k1'] }, identity('guest', { anonymous: true }));
    assert.equal(callers.of(request({ headers: ['X-Api-Key', 'k1'] })).consumer, undefined);
  });

  it('stays known however many made-up credentials come, which leave nothing behind', () => {
    const callers = make(FIELDS, 8);
    learn(callers, { headers: ['X-Api-Key', 'k1'] }, identity('mobile'));
    for (let i = 0; i < 10_000; i++) {
      const { mark } = callers.of(request({ headers: ['X-Api-Key', `made-up-${i}`] }));
      assert.ok(mark !== undefined);
      callers.learn(mark, undefined, request({}).client);
    }
    assert.equal(callers.of(request({ headers: ['X-Api-Key', 'k1'] })).consumer, 'mobile');
  });

  it('is forgotten when more credentials are proved than are remembered', () => {
    const callers = make(FIELDS, 8);
    learn(callers, { headers: ['X-Api-Key', 'k1'] }, identity('mobile'));
    for (let i = 0; i < 100; i++) learn(callers, { headers: ['X-Api-Key', `real-${i}`] }, identity(`c${i}`));
    assert.equal(callers.of(request({ headers: ['X-Api-Key', 'k1'] })).consumer, undefined);
  });
});

describe('the place of a caller', () => {
  const keys = Array.from({ length: 20_000 }, (_, i) => `consumer c${i}`);

  it('is the same wherever it is asked for', () => {
    const again = new CallerHash('rollout-1');
    for (const key of keys.slice(0, 100)) {
      assert.equal(again.locate(key).place, HASH.locate(key).place);
      assert.equal(again.locate(key).group, HASH.locate(key).group);
    }
  });

  it('is anywhere, evenly', () => {
    for (const share of [0.01, 0.05, 0.25, 0.5]) {
      const inside = keys.filter((key) => HASH.locate(key).place < share).length / keys.length;
      const deviation = Math.sqrt((share * (1 - share)) / keys.length);
      assert.ok(Math.abs(inside - share) < 4 * deviation, `${inside} for ${share}`);
    }
    assert.ok(keys.every((key) => HASH.locate(key).place < 1 && HASH.locate(key).place >= 0));
  });

  it('says nothing of the group', () => {
    const groups = new Array<number>(CALLER_GROUPS).fill(0);
    for (const key of keys) if (HASH.locate(key).place < 0.5) groups[HASH.locate(key).group]++;
    const expected = keys.length / 2 / CALLER_GROUPS;
    for (const count of groups) assert.ok(Math.abs(count - expected) < 5 * Math.sqrt(expected), `${count}`);
  });

  it('is another in another rollout', () => {
    const other = new CallerHash('rollout-2');
    const first = (hash: CallerHash) => keys.filter((key) => hash.locate(key).place < 0.1);
    const both = new Set(first(HASH));
    const again = first(other).filter((key) => both.has(key)).length / keys.length;
    assert.ok(again > 0.005 && again < 0.015, `${again} are first in both`);
  });
});

describe('a cohort', () => {
  const who = { route: 'orders', client: address('192.0.2.1'), consumer: 'mobile' };
  const all = { share: 0.5, consumers: [], routes: [], addresses: [] };
  const cases: { name: string; more: object; holds: boolean; of?: object }[] = [
    { name: 'of all', more: {}, holds: true },
    { name: 'of all, with strangers', more: {}, of: { consumer: undefined, route: '' }, holds: true },
    { name: 'of its route', more: { routes: ['a', 'orders'] }, holds: true },
    { name: 'of another route', more: { routes: ['a'] }, holds: false },
    { name: 'of a route, and none took it', more: { routes: ['a'] }, of: { route: '' }, holds: false },
    { name: 'of its consumer', more: { consumers: ['mobile'] }, holds: true },
    { name: 'of another consumer', more: { consumers: ['web'] }, holds: false },
    {
      name: 'of a consumer who is not known yet',
      more: { consumers: ['mobile'] },
      of: { consumer: undefined },
      holds: false,
    },
    { name: 'of its network', more: { addresses: ['192.0.2.0/24'] }, holds: true },
    { name: 'of its address', more: { addresses: ['2001:db8::/32', '192.0.2.1'] }, holds: true },
    { name: 'of another network', more: { addresses: ['198.51.100.0/24', '::/0'] }, holds: false },
    {
      name: 'of which one thing does not hold',
      more: { routes: ['orders'], consumers: ['web'] },
      holds: false,
    },
  ];
  for (const { name, more, holds, of } of cases) {
    it(name, () => assert.equal(new Cohort({ ...all, ...more }).holds({ ...who, ...of }), holds));
  }
});
