import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestError } from '../errors.ts';
import { HeaderList } from '../lib/header-list.ts';
import { type IpAddress, parseIpAddress } from '../lib/ip-address.ts';
import { type RequestSource, viewOf } from './request-view.ts';

function address(text: string): IpAddress {
  const parsed = parseIpAddress(text);
  assert.ok(parsed !== undefined);
  return parsed;
}

/** 10.0.0.x and ::1 are our proxies. */
const RULES = {
  encodedSlashes: 'reject',
  semicolons: 'reject',
  underscoreHeaders: 'reject',
  methodOverride: 'reject',
  trusts: (peer: IpAddress) => peer.text.startsWith('10.0.0.') || peer.text === '::1',
} as const;

const source = (more: Partial<RequestSource> = {}): RequestSource => ({
  id: 'id',
  method: 'GET',
  scheme: 'http',
  authority: 'A.example:80',
  target: '/a?b=/../c',
  headers: new HeaderList(),
  httpVersion: '1.1',
  peer: address('192.0.2.1'),
  certificate: undefined,
  ...more,
});

describe('refused', () => {
  const cases: [name: string, source: Partial<RequestSource>, reason: string][] = [
    ['bad host', { authority: 'a@b' }, 'bad-host host-invalid'],
    ['bad path', { target: '/a%2fb' }, 'bad-path path-encoded-slash'],
    ['no slash', { target: '*a' }, 'bad-path path-not-absolute'],
    ['another method', { methodOverride: 'DELETE' }, 'method-override method-override'],
    ['no other method', { methodOverride: '' }, 'method-override method-override'],
    ['underscore', { headers: new HeaderList(['X_A', '1']) }, 'header-underscore header-underscore'],
  ];
  for (const [name, more, reason] of cases) {
    it(name, () => {
      const view = viewOf(source(more), RULES);
      assert.ok(view instanceof RequestError);
      assert.equal(`${view.code} ${view.reason}`, reason);
    });
  }
});

it('a view', () => {
  const view = viewOf(source({ target: '/x/../a//b?c=/../d' }), RULES);
  assert.ok(!(view instanceof RequestError));
  assert.deepEqual(
    [view.host, view.authority, view.path, view.query],
    ['a.example', 'A.example:80', '/a/b', 'c=/../d'],
  );
});

it('asterisk-form is its own path', () => {
  const view = viewOf(source({ target: '*', method: 'OPTIONS' }), RULES);
  assert.ok(!(view instanceof RequestError));
  assert.equal(view.path, '*');
});

it('asterisk-form is kept, and no path of any route', () => {
  const view = viewOf(source({ target: '*', method: 'OPTIONS' }), RULES);
  assert.ok(!(view instanceof RequestError));
  assert.equal(view.path, '*');
});

it('another method where it is kept', () => {
  const rules = { ...RULES, methodOverride: 'keep' } as const;
  const view = viewOf(source({ method: 'POST', methodOverride: 'PUT' }), rules);
  assert.ok(!(view instanceof RequestError));
  assert.deepEqual([view.method, view.methodOverride], ['POST', 'PUT']);
  const plain = viewOf(source(), rules);
  assert.ok(!(plain instanceof RequestError) && !('methodOverride' in plain));
});

it('underscores where they are kept', () => {
  const view = viewOf(source({ headers: new HeaderList(['X_A', '1']) }), {
    ...RULES,
    underscoreHeaders: 'keep',
  });
  assert.ok(!(view instanceof RequestError));
});

describe('who the client is', () => {
  const cases: [name: string, peer: string, chain: string[], client: string | undefined][] = [
    ['a stranger is never believed', '192.0.2.1', ['198.51.100.7'], '192.0.2.1'],
    ['nor is his garbage looked at', '192.0.2.1', ['garbage'], '192.0.2.1'],
    ['a proxy without a chain', '10.0.0.1', [], '10.0.0.1'],
    ['a proxy with an empty one', '10.0.0.1', [' '], '10.0.0.1'],
    ['a proxy is believed', '10.0.0.1', ['198.51.100.7'], '198.51.100.7'],
    ['the rightmost stranger', '10.0.0.1', ['6.6.6.6, 198.51.100.7'], '198.51.100.7'],
    ['behind two proxies', '10.0.0.1', ['6.6.6.6, 198.51.100.7, 10.0.0.2'], '198.51.100.7'],
    ['several headers are one list', '10.0.0.1', ['6.6.6.6', '198.51.100.7', '10.0.0.2'], '198.51.100.7'],
    ['all proxies: the first of them', '10.0.0.1', ['10.0.0.3, 10.0.0.2'], '10.0.0.3'],
    ['IPv6', '::1', ['2001:db8::7'], '2001:db8::7'],
    ['mapped IPv4 is IPv4', '::ffff:10.0.0.1', ['::ffff:198.51.100.7'], '198.51.100.7'],
    ['garbage left of a stranger', '10.0.0.1', ['garbage, 198.51.100.7'], '198.51.100.7'],
    ['garbage', '10.0.0.1', ['garbage'], undefined],
    ['garbage behind a proxy', '10.0.0.1', ['198.51.100.7, garbage, 10.0.0.2'], undefined],
    ['unknown', '10.0.0.1', ['unknown'], undefined],
    ['a port', '10.0.0.1', ['198.51.100.7:80'], undefined],
    ['brackets', '10.0.0.1', ['[2001:db8::7]'], undefined],
    ['an octal octet', '10.0.0.1', ['010.0.0.2'], undefined],
    ['an empty element', '10.0.0.1', ['198.51.100.7,'], undefined],
    ['two empty elements', '10.0.0.1', [','], undefined],
  ];
  for (const [name, peer, chain, client] of cases) {
    it(name, () => {
      const headers = new HeaderList(chain.flatMap((value) => ['X-Forwarded-For', value]));
      const view = viewOf(source({ peer: address(peer), headers }), RULES);
      if (client === undefined)
        return assert.equal(view instanceof RequestError && view.reason, 'forwarded-for');
      assert.ok(!(view instanceof RequestError));
      assert.equal(view.client.text, client);
    });
  }
  it('the underscored spelling is another header', () => {
    const headers = new HeaderList(['X_Forwarded_For', '6.6.6.6']);
    const view = viewOf(source({ peer: address('10.0.0.1'), headers }), {
      ...RULES,
      underscoreHeaders: 'keep',
    });
    assert.ok(!(view instanceof RequestError));
    assert.equal(view.client.text, '10.0.0.1');
  });
});
