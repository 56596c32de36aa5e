import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeWorld, type Script, settled } from '../../../test/fixtures/resource-world.ts';
import { NetworkError } from '../../errors.ts';
import { ProviderDirectory } from './provider.ts';

const ISSUER = 'https://login.test';
const HOUR_MS = 3_600_000;
const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/auth`,
  token_endpoint: `${ISSUER}/token`,
};
const there: Script = () => JSON.stringify(METADATA);
const gone: Script = () => new NetworkError('unreachable', 'login.test cannot be reached');

async function open(script: Script): Promise<{ world: FakeWorld; directory: ProviderDirectory }> {
  const world = new FakeWorld(script);
  const directory = new ProviderDirectory(ISSUER, { ca: undefined, timeoutMs: 5000 }, world);
  await settled();
  return { world, directory };
}

const tokenOf = ({ current }: ProviderDirectory): string | undefined => current?.token;

describe('a provider’s endpoints', () => {
  it('are fetched at once, and again within the hour', async () => {
    const { world, directory } = await open(there);
    assert.equal(directory.current?.token, `${ISSUER}/token`);
    assert.deepEqual([directory.current.endSession, directory.current.namesItself], [undefined, false]);
    const before = world.requests.length;
    await world.pass(HOUR_MS);
    assert.equal(world.requests.length, before + 1);
  });

  it('are looked for again after growing pauses, told of once, and found by themselves', async () => {
    const { world, directory } = await open(gone);
    assert.equal(tokenOf(directory), undefined);
    assert.equal(directory.problem, 'login.test cannot be reached');
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      const [pause = 0] = world.scheduled;
      pauses.push(Math.round(pause / 100) * 100);
      await world.pass(pause + 1);
    }
    assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    world.script = there;
    await world.pass(30_001);
    assert.equal(tokenOf(directory), `${ISSUER}/token`);
    assert.deepEqual(
      world.logged.map(({ event }) => event),
      ['oidc-provider-unavailable', 'oidc-provider-found'],
    );
  });

  it('that were found serve as long as there are no newer ones', async () => {
    const { world, directory } = await open(there);
    world.script = gone;
    await world.pass(24 * HOUR_MS);
    assert.equal(directory.current?.token, `${ISSUER}/token`);
    world.script = () => JSON.stringify({ ...METADATA, token_endpoint: `${ISSUER}/newer` });
    await world.pass(60_000);
    assert.equal(directory.current.token, `${ISSUER}/newer`);
  });

  const NO_PROVIDERS: readonly (readonly [name: string, answer: string])[] = [
    ['HTML', '<h1>Welcome</h1>'],
    ['an issuer named twice', `{"issuer":"https://evil.test",${JSON.stringify(METADATA).slice(1)}`],
    ['another issuer', JSON.stringify({ ...METADATA, issuer: 'https://evil.test' })],
    ['no token endpoint', JSON.stringify({ ...METADATA, token_endpoint: undefined })],
    [
      'an endpoint without TLS',
      JSON.stringify({ ...METADATA, userinfo_endpoint: 'http://login.test/userinfo' }),
    ],
  ];
  for (const [name, answer] of NO_PROVIDERS)
    it(`are none where the provider publishes ${name}`, async () => {
      const { directory } = await open(() => answer);
      assert.equal(directory.current, undefined);
      assert.match(directory.problem, /login\.test/);
    });

  it('are asked for by nobody once nobody uses them', async () => {
    const { world, directory } = await open(there);
    directory.close();
    const before = world.requests.length;
    await world.pass(24 * HOUR_MS);
    assert.equal(world.requests.length, before);
  });
});
