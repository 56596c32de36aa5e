/**
 * What a signed token costs: microseconds when it comes for the first time, by algorithm; nanoseconds when it is
 * remembered, by part. Run by hand: node bench/micro/jwt.ts
 */
import { hash, randomBytes } from 'node:crypto';
import type { Policy, PolicyContext } from '../../src/contract/index.ts';
import { credentialGuard } from '../../src/identity/index.ts';
import { HeaderList } from '../../src/lib/header-list.ts';
import { jwt } from '../../src/policies/jwt/policy.ts';
import type { JwtConfig } from '../../src/policies/jwt/schema.ts';
import { attachSharedCounters, createSharedCounters } from '../../src/state/index.ts';
import { findBearer } from '../../src/tokens/index.ts';
import { compileDeps, DEFAULT_NOW_MS, policyContext } from '../../test/fixtures/policy-context.ts';
import { mint, mintSecret, type TokenAlgorithm, tokenKey } from '../../test/fixtures/tokens.ts';

const COLD = 2000;
const WARM = 100_000;
const ROUNDS = 15;
const SECRET = 's'.repeat(32);
const ISSUER = 'https://login.example.com';
const CLAIMS = {
  iss: ISSUER,
  sub: 'c0ffee00-0000-4000-8000-000000000000',
  aud: ['orders', 'stock'],
  iat: DEFAULT_NOW_MS / 1000,
  exp: DEFAULT_NOW_MS / 1000 + 300,
  scope: 'orders.read orders.write',
  groups: ['partners', 'staff'],
  email: 'somebody@example.com',
};

const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
const state = attachSharedCounters(createSharedCounters({ random }).memory);
const guard = credentialGuard({
  failures: 20,
  windowMs: 60_000,
  banAfter: 100,
  banWindowMs: 600_000,
  banMs: 600_000,
});
const base = policyContext({ state });

/** Requests with a token as they come: each header a slice of what was just decoded from the wire. */
function requestsWith(token: string): () => PolicyContext {
  const bytes = Buffer.from(
    `Host: api.example.com\r\nAccept: */*\r\nAuthorization: Bearer ${token}\r\n`,
    'latin1',
  );
  const start = bytes.indexOf('Bearer');
  return () => {
    const head = bytes.toString('latin1');
    const flat = ['Host', head.slice(6, 21), 'Accept', '*/*', 'Authorization', head.slice(start, -2)];
    return { ...base, request: { ...base.request, headers: new HeaderList(flat) } };
  };
}

async function compile(keys: JwtConfig['keys'], files: Readonly<Record<string, string>>): Promise<Policy> {
  const config: JwtConfig = { issuer: ISSUER, audience: 'orders', ...(keys === undefined ? {} : { keys }) };
  return await jwt.compile(
    config,
    compileDeps({ files, secrets: { 'env:SECRET': SECRET }, more: { guard } }),
  );
}

async function admitted(policy: Policy, c: PolicyContext): Promise<void> {
  const decision = await policy.request?.(c);
  if (decision?.kind !== 'continue') throw new Error('a sound token was refused');
}

/** Best of several rounds, in nanoseconds each. */
function best(work: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now();
    for (let i = 0; i < WARM; i++) work();
    least = Math.min(least, ((performance.now() - from) * 1e6) / WARM);
  }
  return Math.round(least);
}

async function measure(
  name: string,
  policy: Policy,
  make: (jti: string) => string,
): Promise<Record<string, string | number>> {
  const tokens = Array.from({ length: COLD }, (_, i) => make(`token-${i}`));
  const requests = tokens.map((token) => requestsWith(token)());
  const from = performance.now();
  for (const c of requests) await admitted(policy, c);
  const coldUs = ((performance.now() - from) * 1000) / COLD;
  const token = make('again');
  const next = requestsWith(token);
  await admitted(policy, next());
  const warm = best(() => policy.request?.(next())) - best(next);
  return { token: name, bytes: token.length, 'µs the first time': Math.round(coldUs), 'ns remembered': warm };
}

async function publicKey(alg: TokenAlgorithm): Promise<Record<string, string | number>> {
  const key = tokenKey(alg);
  const policy = await compile([{ file: 'key.jwk' }], { 'key.jwk': JSON.stringify(key.jwk) });
  return await measure(alg, policy, (jti) => mint(key, { ...CLAIMS, jti }));
}

const secret = await compile([{ secret: 'env:SECRET' }], {});
console.table([
  await publicKey('RS256'),
  await publicKey('PS256'),
  await publicKey('ES256'),
  await publicKey('EdDSA'),
  await measure('HS256', secret, (jti) => mintSecret(SECRET, { ...CLAIMS, jti })),
]);

const token = mint(tokenKey('RS256'), CLAIMS);
const next = requestsWith(token);
const making = best(next);
console.table([
  { part: 'finding the token', ns: best(() => findBearer(next().request.headers)) - making },
  { part: 'hashing it', ns: best(() => hash('sha256', token, 'base64url')) },
  { part: 'asking the guard', ns: best(() => guard.check(base)) },
]);
