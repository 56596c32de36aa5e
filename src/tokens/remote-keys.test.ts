import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeWorld, type Script, settled } from '../../test/fixtures/resource-world.ts';
import { tokenKey } from '../../test/fixtures/tokens.ts';
import { NetworkError } from '../errors.ts';
import { RemoteKeys, type RemoteKeysRules } from './remote-keys.ts';

const ISSUER = 'https://login.test';
const JWKS = 'https://keys.test/jwks';
const [one, two] = [tokenKey('ES256', 'one'), tokenKey('ES256', 'two')];
const [MINUTE, HOUR] = [60_000, 3_600_000];
const RULES: RemoteKeysRules = {
  issuer: ISSUER,
  url: undefined,
  ca: undefined,
  timeoutMs: 5000,
  refreshMs: 15 * MINUTE,
  cooldownMs: 30_000,
  staleForMs: 24 * HOUR,
};

const metadata = (more: Readonly<Record<string, unknown>> = {}) =>
  JSON.stringify({ issuer: ISSUER, jwks_uri: JWKS, ...more });
const set = (...keys: readonly unknown[]) => JSON.stringify({ keys });
const DOWN = new NetworkError('unreachable', 'login.test cannot be reached');
const serving =
  (keys: string): Script =>
  (url) =>
    url === JWKS ? keys : metadata();

interface Opened {
  readonly world: FakeWorld;
  readonly keys: RemoteKeys;
  kids(): string[] | undefined;
}

async function open(script: Script, rules: Partial<RemoteKeysRules> = {}): Promise<Opened> {
  const world = new FakeWorld(script);
  const keys = new RemoteKeys({ ...RULES, ...rules }, world);
  await world.pass(0);
  const kids = () => {
    const current = keys.current(world.clock.now());
    return current === undefined ? undefined : ['one', 'two'].filter((kid) => current.hasKid(kid));
  };
  return { world, keys, kids };
}

const events = ({ logged }: FakeWorld) => logged.map(({ event }) => event);

describe('keys of an issuer are not taken', () => {
  const table: readonly (readonly [name: string, script: Script, problem: RegExp])[] = [
    ['from metadata of another issuer', () => metadata({ issuer: 'https://evil.test' }), /another issuer/],
    ['from metadata of nearly the same issuer', () => metadata({ issuer: `${ISSUER}/` }), /another issuer/],
    ['from metadata of no issuer', () => JSON.stringify({ jwks_uri: JWKS }), /another issuer/],
    ['from metadata that is a page', () => '<!doctype html><title>Sign in</title>', /no JSON object/],
    [
      'from metadata that names its issuer twice',
      () => metadata().replace('{', `{"issuer":"${ISSUER}",`),
      /JSON/,
    ],
    ['from metadata that names no keys', () => metadata({ jwks_uri: undefined }), /jwks_uri/],
    ['from a URL that is none', () => metadata({ jwks_uri: 'jwks' }), /jwks_uri/],
    ['without TLS', () => metadata({ jwks_uri: 'http://keys.test/jwks' }), /jwks_uri/],
    ['from a file', () => metadata({ jwks_uri: 'file:///etc/passwd' }), /jwks_uri/],
    ['with a password', () => metadata({ jwks_uri: 'https://a:b@keys.test/' }), /jwks_uri/],
    ['when there is no metadata', () => 404, /answers 404/],
    ['when the set is not there', (url) => (url === JWKS ? 503 : metadata()), /answers 503/],
    ['when it is a page', serving('<html>'), /no JSON object/],
    ['when it is a list', serving('[]'), /no JSON object/],
    ['when it has no keys', serving('{}'), /no list of keys/],
    ['when its keys are no list', serving('{"keys":{}}'), /no list of keys/],
    [
      'when none of them is usable',
      serving(set({ kty: 'oct', k: 'c2VjcmV0LXNlY3JldA', kid: 'one' })),
      /no usable key/,
    ],
    ['when one of them is private', serving(set(one.privateKey.export({ format: 'jwk' }))), /no usable key/],
    ['when they are too many', serving(set(...Array.from({ length: 101 }, () => one.jwk))), /more than 100/],
    ['when they are 10 MB', serving(set({ ...one.jwk, x: 'A'.repeat(10_000_000) })), /too long/],
    ['when nobody answers', () => DOWN, /cannot be reached/],
  ];
  for (const [name, script, problem] of table) {
    it(name, async () => {
      const { world, kids } = await open(script);
      assert.equal(kids(), undefined);
      const told = JSON.stringify(world.logged);
      assert.match(told, problem);
      assert.ok(events(world).includes('issuer-keys-unavailable'));
      assert.doesNotMatch(told, /c2VjcmV0|Sign in|a:b/, 'nothing of what was answered is told');
    });
  }

  it('and what there was stays, whatever comes', async () => {
    const { world, kids } = await open(serving(set(one.jwk)));
    for (const [, script] of table) {
      world.script = script;
      await world.pass(HOUR);
      assert.deepEqual(kids(), ['one']);
    }
    world.script = serving(set(two.jwk));
    await world.pass(HOUR);
    assert.deepEqual(kids(), ['two']);
  });

  it('by redirects: they are answers like others', async () => {
    const { kids, world } = await open(() => 302);
    assert.equal(kids(), undefined);
    assert.deepEqual(new Set(world.urls.map((url) => new URL(url).host)), new Set(['login.test']));
  });
});

describe('keys of an issuer', () => {
  it('are fetched ahead, where OpenID Connect says', async () => {
    const { world, kids } = await open(serving(set(one.jwk)));
    assert.deepEqual(world.urls, [`${ISSUER}/.well-known/openid-configuration`, JWKS]);
    assert.deepEqual(kids(), ['one']);
    assert.deepEqual(events(world), ['issuer-keys-loaded']);
  });

  it('are found where RFC 8414 says, with the path of the issuer', async () => {
    const issuer = 'https://login.test/tenant/a';
    const script: Script = (url) => {
      if (url === JWKS) return set(one.jwk);
      return url.endsWith('/.well-known/oauth-authorization-server/tenant/a') ? metadata({ issuer }) : 404;
    };
    const { world, kids } = await open(script, { issuer });
    assert.deepEqual(kids(), ['one']);
    assert.equal(world.urls[0], 'https://login.test/tenant/a/.well-known/openid-configuration');
  });

  it('of an issuer that ends in a slash have one slash in their URL', async () => {
    const issuer = 'https://login.test/';
    const { world } = await open((url) => (url === JWKS ? set(one.jwk) : metadata({ issuer })), { issuer });
    assert.equal(world.urls[0], 'https://login.test/.well-known/openid-configuration');
  });

  it('at a URL that is given are not looked for elsewhere', async () => {
    const { world, kids } = await open(() => set(one.jwk), { url: 'https://other.test/keys', ca: 'PEM' });
    assert.deepEqual(world.urls, ['https://other.test/keys']);
    assert.deepEqual(world.requests[0].ca, 'PEM');
    assert.deepEqual(kids(), ['one']);
  });

  it('without TLS are taken of an issuer that has none itself', async () => {
    const issuer = 'http://127.0.0.1:1';
    const jwks_uri = 'http://127.0.0.1:1/jwks';
    const { kids } = await open((url) => (url === jwks_uri ? set(one.jwk) : metadata({ issuer, jwks_uri })), {
      issuer,
    });
    assert.deepEqual(kids(), ['one']);
  });

  it('are taken beside others that are not, which is told once', async () => {
    const odd = [{ kty: 'oct', k: 'x' }, { ...two.jwk, d: 'x' }, { ...two.jwk, use: 'enc' }, 'junk'];
    const { world, kids } = await open(serving(set(one.jwk, ...odd)));
    assert.deepEqual(kids(), ['one']);
    await world.pass(HOUR);
    const told = world.logged.filter(({ event }) => event === 'issuer-keys-ignored');
    assert.deepEqual(told, [
      {
        level: 'warn',
        event: 'issuer-keys-ignored',
        fields: { issuer: ISSUER, secret: 1, private: 1, malformed: 1 },
      },
    ]);
  });

  it('are fetched again before their time, and are the same object while they are the same', async () => {
    const { world, keys, kids } = await open(serving(set(one.jwk)));
    const first = keys.current(world.clock.now());
    assert.ok(world.scheduled[0] <= RULES.refreshMs && world.scheduled[0] >= 0.8 * RULES.refreshMs);
    world.script = serving(set({ ...one.jwk, x5u: 'https://new.test' }));
    await world.pass(15 * MINUTE);
    assert.equal(world.urls.length, 4);
    assert.equal(keys.current(world.clock.now()), first);
    world.script = serving(set(two.jwk));
    await world.pass(15 * MINUTE);
    assert.deepEqual(kids(), ['two'], 'a key that is withdrawn verifies nothing any more');
  });

  it('serve through an outage for the set time, then no longer, and come back by themselves', async () => {
    const { world, kids } = await open(serving(set(one.jwk)));
    world.script = () => DOWN;
    const outage = () => world.logged.filter(({ event }) => event === 'issuer-keys-unavailable');
    await world.pass(24 * HOUR);
    assert.deepEqual(kids(), ['one']);
    assert.equal(outage().length, 1, 'an outage is told once');
    await world.pass(15 * MINUTE);
    assert.equal(kids(), undefined);
    const problem = { issuer: ISSUER, failure: 'unreachable', problem: DOWN.message };
    assert.deepEqual(
      outage().map(({ fields }) => fields),
      [
        { ...problem, serving: true },
        { ...problem, serving: false },
      ],
    );
    world.script = serving(set(one.jwk));
    await world.pass(MINUTE);
    assert.deepEqual(kids(), ['one']);
    assert.equal(events(world).at(-1), 'issuer-keys-loaded');
  });

  it('are tried for in growing pauses', async () => {
    const { world, keys } = await open(() => DOWN);
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      pauses.push(world.scheduled[0]);
      assert.ok(keys.retryAfterSeconds >= 1 && keys.retryAfterSeconds <= 30);
      await world.pass(world.scheduled[0]);
    }
    for (const [i, pause] of pauses.entries()) {
      assert.ok(pause <= 30_000, `pause ${i} is ${pause}`);
      if (i > 0) assert.ok(pause >= pauses[i - 1]);
    }
    assert.ok(pauses[0] <= 1000 && pauses[7] > 20_000);
  });

  it('are asked for once, however many wait', async () => {
    let answer: (text: string) => void = () => {};
    const { world, keys, kids } = await open(
      (url) =>
        new Promise<string>((resolve) => {
          answer = (text) => resolve(url === JWKS ? text : metadata());
        }),
    );
    const [first, second] = [keys.renew(), keys.renew()];
    assert.ok(first !== undefined && first === second && keys.pending !== undefined);
    answer('');
    await settled();
    answer(set(one.jwk));
    await first;
    await settled();
    assert.equal(world.urls.length, 2);
    assert.deepEqual(kids(), ['one']);
    assert.equal(keys.pending, undefined);
  });

  it('are asked for by unknown names once in a cooldown', async () => {
    const { world, keys } = await open(serving(set(one.jwk)));
    const asked = () => world.urls.length;
    const before = asked();
    await keys.renew();
    for (let i = 0; i < 1000; i++) assert.equal(keys.renew(), undefined);
    assert.equal(asked() - before, 2);
    await world.pass(RULES.cooldownMs);
    await keys.renew();
    assert.equal(asked() - before, 4);
  });

  it('that are let go ask for nothing more', async () => {
    const { world, keys } = await open(serving(set(one.jwk)));
    keys.close();
    await world.pass(24 * HOUR);
    assert.equal(world.urls.length, 2);
    assert.deepEqual(world.scheduled, []);
  });

  it('that are let go while they are fetched schedule nothing', async () => {
    let answer: (status: number) => void = () => {};
    const { world, keys } = await open(
      () =>
        new Promise<number>((resolve) => {
          answer = resolve;
        }),
    );
    keys.close();
    answer(404);
    await settled();
    answer(404);
    await settled();
    assert.deepEqual(world.scheduled, []);
    assert.deepEqual(world.logged, []);
  });
});
