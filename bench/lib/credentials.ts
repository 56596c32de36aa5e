import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Document } from '../../test/fixtures/gateway.ts';

/** What the gateway of the bench is started with. */
export const SECRETS = Object.freeze({
  BENCH_KEY: 'bench-key-0123456789abcdef0123456789abcdef',
  BENCH_PASSWORD: 'bench-password-0123',
  BENCH_SIGNING_SECRET: 'bench-signing-secret-0123456789abcdef',
  BENCH_TOKEN_SECRET: 'bench-token-secret-0123456789abcdef',
  BENCH_SESSION_SECRET: 'bench-session-secret-0123456789abcdef',
});
/** User names that share the password; each is new once. The first is the one to be seen before. */
export const USERS: readonly string[] = Array.from({ length: 40 }, (_, i) => `app-${i}`);
export const ISSUER = 'https://issuer.bench.test';
export const AUDIENCE = 'orders';

const signing = generateKeyPairSync('rsa', { modulusLength: 2048 });
const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** Files beside the document: the issuer's public keys. */
export const FILES: Readonly<Record<string, string>> = {
  'rs256.pem': signing.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  'es256.pem': elliptic.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
};

/** A token like any issuer's; every one is different. */
export async function signToken(alg: 'RS256' | 'ES256'): Promise<string> {
  const { privateKey } = alg === 'RS256' ? signing : elliptic;
  const claims = { scope: 'orders.read orders.write', groups: ['staff', 'partners'], client_id: 'app' };
  return await new SignJWT({ ...claims, jti: randomBytes(16).toString('hex') })
    .setProtectedHeader({ alg, typ: 'at+jwt' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject('user-1001')
    .setIssuedAt()
    .setExpirationTime('2h')
    .sign(privateKey);
}

const jwt = (file: string) => ({ jwt: { issuer: ISSUER, audience: AUDIENCE, keys: [{ file }] } });

/** A route of the document, and what proves who calls there; `none` asks for nothing. */
export const ROUTES: Readonly<Record<string, readonly unknown[]>> = {
  none: [],
  'api-key': [{ 'api-key': {} }],
  'jwt-rs256': [jwt('rs256.pem')],
  'jwt-es256': [jwt('es256.pem')],
  'basic-auth': [{ 'basic-auth': {} }],
  'hmac-signature': [{ 'hmac-signature': { components: ['@method', '@authority', '@path'] } }],
  'any-of': [{ 'any-of': [jwt('rs256.pem'), { 'api-key': {} }, { anonymous: { consumer: 'guest' } }] }],
};

/** One consumer with a credential of each kind, and one route for each of `ROUTES`, at `/NAME`; `users` have the one password. */
export function identityDocument(
  port: number,
  upstream: string,
  users: readonly string[] = USERS.slice(0, 1),
  more: Readonly<Record<string, readonly unknown[]>> = {},
): Document {
  const routes = Object.entries({ ...ROUTES, ...more });
  return {
    sallyport: 1,
    listeners: [{ name: 'public', address: `127.0.0.1:${port}` }],
    upstreams: { origin: { targets: [{ url: upstream }] } },
    routes: routes.map(([name, policies]) => ({
      name,
      match: { path: `/${name}` },
      upstream: 'origin',
      policies,
    })),
    consumers: [
      {
        name: 'app',
        credentials: [
          { 'api-key': { secret: 'env:BENCH_KEY' } },
          ...users.map((username) => ({ 'basic-auth': { username, password: 'env:BENCH_PASSWORD' } })),
          { 'hmac-signature': { keyId: 'app', secret: 'env:BENCH_SIGNING_SECRET' } },
        ],
      },
      { name: 'guest' },
    ],
  };
}
