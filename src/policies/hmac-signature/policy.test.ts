import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { beforeEach, describe, it } from 'node:test';
import { cryptoCalls } from '../../../test/fixtures/crypto-calls.ts';
import { contentDigest, type Signing, signatureFields } from '../../../test/fixtures/http-signature.ts';
import { remote } from '../../../test/fixtures/nobody-there.ts';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import {
  bodyView,
  type ContextOptions,
  compileDeps,
  DEFAULT_NOW_MS,
  identity,
  policyContext,
  type RecordedContext,
} from '../../../test/fixtures/policy-context.ts';
import { recordingGuard } from '../../../test/fixtures/recording-guard.ts';
import type { CompileDeps, CounterState, CredentialMatch, Decision, Policy } from '../../contract/index.ts';
import { publicKeyVerifier, sharedSecretVerifier } from '../../identity/index.ts';
import { createLocalCounters } from '../../state/index.ts';
import { hmacSignature } from './policy.ts';
import { DEFAULT_COMPONENTS, type HmacSignatureConfig } from './schema.ts';

runPolicyCases(hmacSignature, new URL('cases.json', import.meta.url));

const SECRET = randomBytes(32);
const ed25519 = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pemOf = (key: KeyObject): string => String(key.export({ type: 'spki', format: 'pem' }));
const NOW = DEFAULT_NOW_MS / 1000;

const credential = (verifier: string, more: object = {}): CredentialMatch => ({
  identity: identity({ consumer: 'billing' }),
  expiresAtMs: undefined,
  verifier,
  ...more,
});
const CREDENTIALS: Readonly<Record<string, CredentialMatch>> = {
  'hmac-signature:shared': credential(sharedSecretVerifier(SECRET)),
  'hmac-signature:ed25519': credential(publicKeyVerifier(pemOf(ed25519.publicKey))),
  'hmac-signature:p256': credential(publicKeyVerifier(pemOf(p256.publicKey))),
  'hmac-signature:rsa': credential(publicKeyVerifier(pemOf(rsa.publicKey))),
  'hmac-signature:old': credential(sharedSecretVerifier(SECRET), { expiresAtMs: DEFAULT_NOW_MS }),
  'hmac-signature:new': credential(sharedSecretVerifier(SECRET), { notBeforeMs: DEFAULT_NOW_MS + 1 }),
};

const HOST = 'api.example.com';
const GET = ['@method', '@authority', '@path', '@query'];
const PUT = [...GET, 'content-digest'];
const BODY = '{"amount":1}';

describe('hmac-signature', () => {
  let state: CounterState;
  beforeEach(() => {
    state = createLocalCounters();
  });
  const compile = async (
    config: HmacSignatureConfig = {},
    more: Partial<CompileDeps> = {},
    credentials = CREDENTIALS,
  ): Promise<Policy> => hmacSignature.compile(config, compileDeps({ credentials, more }));
  /** A GET as it was signed, then changed on its way. */
  const signed = (signing: Partial<Signing> = {}, changed: ContextOptions = {}): RecordedContext => {
    const target = '/orders/1?page=2';
    const fields = signatureFields(
      { method: 'GET', authority: HOST, target },
      { keyId: 'shared', key: SECRET, components: GET, created: NOW, ...signing },
    );
    return policyContext({ path: '/orders/1', query: 'page=2', state, headers: { ...fields }, ...changed });
  };
  /** A PUT with a body, of which the framing tells. */
  const put = (body = BODY, headers: Readonly<Record<string, string>> = {}): RecordedContext => {
    const own = {
      'content-digest': contentDigest(body),
      'content-length': String(body.length),
      ...headers,
    };
    const fields = signatureFields(
      { method: 'PUT', authority: HOST, target: '/orders/1', headers: own },
      { keyId: 'shared', key: SECRET, components: PUT, created: NOW },
    );
    return policyContext({ method: 'PUT', state, headers: { ...own, ...fields } });
  };
  const decide = async (policy: Policy, c: RecordedContext): Promise<Decision> => {
    const decision = await policy.request?.(c);
    assert.ok(decision !== undefined);
    return decision;
  };
  const reasonOf = (decision: Decision | undefined): string => {
    assert.ok(decision?.kind === 'reject', 'it is refused');
    assert.equal(decision.error.code, 'invalid-credential');
    return decision.error.reason ?? '';
  };

  const changes: readonly [name: string, changed: ContextOptions, signing?: Partial<Signing>][] = [
    ['another method', { method: 'DELETE' }],
    ['another host', { host: 'other.example.com' }],
    ['another port', { host: `${HOST}:8443` }],
    ['another path', { path: '/orders/2' }],
    ['the path in another spelling', { target: '/orders/./1?page=2' }],
    ['another query', { query: 'page=3' }],
    ['a parameter more', { query: 'page=2&admin=true' }],
    ['no query', { query: '' }],
    ['parameters in another order', { query: 'page=2&a=1' }, {}],
  ];
  for (const [name, changed, signing] of changes) {
    it(`refuses a request with ${name} than the one signed`, async () => {
      assert.equal(
        reasonOf(await decide(await compile(), signed(signing, changed))),
        'the signature does not fit',
      );
    });
  }

  for (const component of GET) {
    it(`refuses a signature without ${component}`, async () => {
      const components = GET.filter((name) => name !== component);
      assert.equal(
        reasonOf(await decide(await compile(), signed({ components }))),
        `the signature does not cover ${component}`,
      );
    });
  }

  const wrong: readonly [
    name: string,
    signing: Partial<Signing>,
    reason: RegExp,
    config?: HmacSignatureConfig,
  ][] = [
    ['an unknown key id', { keyId: 'nobody' }, /no consumer/],
    ['another secret', { key: randomBytes(32) }, /does not fit/],
    ['an expired key', { keyId: 'old' }, /expired/],
    ['a key that is not valid yet', { keyId: 'new' }, /not valid yet/],
    ['no time', { created: undefined }, /no created/],
    ['an old time', { created: NOW - 330 }, /too old/],
    ['a time to come', { created: NOW + 31 }, /future/],
    ['an end that is over', { more: `;expires=${NOW - 30}` }, /expired/],
    ['an algorithm that is not its key’s', { more: ';alg="ed25519"' }, /algorithm/],
    ['an algorithm that is none', { more: ';alg="none"' }, /algorithm/],
    ['no nonce where one is asked for', {}, /nonce/, { nonce: 'required' }],
    ['an Ed25519 key in place of the secret', { key: ed25519.privateKey }, /does not fit/],
    ['another’s key', { keyId: 'ed25519', key: p256.privateKey }, /does not fit/],
  ];
  for (const known of ['shared', 'ed25519', 'rsa']) {
    it(`takes as long for an unknown key id as for one with a key like ${known}`, async () => {
      const lookup = `hmac-signature:${known}`;
      const policy = await compile({}, {}, { [lookup]: CREDENTIALS[lookup] });
      for (const [name, calls] of [
        ['verify', known === 'shared' ? 0 : 1],
        ['createHmac', known === 'shared' ? 1 : 0],
      ] as const) {
        for (const keyId of [known, 'nobody']) {
          const c = signed({ keyId, key: randomBytes(32) });
          assert.equal(
            (await cryptoCalls(name, () => decide(policy, c))).length,
            calls,
            `${name} for ${keyId}`,
          );
        }
      }
    });
  }
  for (const [name, signing, reason, config] of wrong) {
    it(`refuses ${name}, and says the same of all to the caller`, async () => {
      const c = signed(signing);
      const decision = await decide(await compile(config), c);
      assert.match(reasonOf(decision), reason);
      assert.ok(decision.kind === 'reject');
      const { detail, rule, status, headers } = decision.error;
      assert.deepEqual(
        { detail, rule, status, headers },
        {
          detail: 'The signature is not valid.',
          rule: 'invalid',
          status: 401,
          headers: [
            ...['WWW-Authenticate', 'Signature realm="api"'],
            ...['Accept-Signature', 'sig=("@method" "@authority" "@path" "@query");created'],
          ],
        },
      );
      assert.deepEqual([c.recorded, c.facts.identity], [[], undefined]);
    });
  }

  it('never takes a public key for a shared secret', async () => {
    const policy = await compile();
    for (const [keyId, key] of [
      ['ed25519', ed25519.publicKey],
      ['rsa', rsa.publicKey],
    ] as const) {
      for (const secret of [pemOf(key), pemOf(key).trim(), key.export({ type: 'spki', format: 'der' })]) {
        for (const more of ['', ';alg="hmac-sha256"']) {
          const forged = signed({ keyId, key: Buffer.from(secret), more });
          assert.match(reasonOf(await decide(policy, forged)), /algorithm|does not fit/);
        }
      }
    }
  });

  for (const [keyId, key, algorithm] of [
    ['shared', SECRET, 'hmac-sha256'],
    ['ed25519', ed25519.privateKey, 'ed25519'],
    ['p256', p256.privateKey, 'ecdsa-p256-sha256'],
    ['rsa', rsa.privateKey, 'rsa-pss-sha512'],
  ] as const) {
    it(`lets on who signs with ${algorithm}`, async () => {
      for (const more of ['', `;alg="${algorithm}"`, ';nonce="1";tag="t"', `;expires=${NOW + 5}`]) {
        const c = signed({ keyId, key, more });
        assert.equal((await decide(await compile(), c)).kind, 'continue', more);
        assert.equal(c.facts.identity?.consumer, 'billing');
        assert.deepEqual(c.recorded, []);
      }
    });
  }

  it('is good once', async () => {
    const policy = await compile();
    const fields = signatureFields(
      { method: 'GET', authority: HOST, target: '/orders/1?page=2' },
      { keyId: 'shared', key: SECRET, components: GET, created: NOW },
    );
    const again = (nowMs: number) =>
      policyContext({ path: '/orders/1', query: 'page=2', state, headers: { ...fields }, nowMs });
    assert.equal((await decide(policy, again(DEFAULT_NOW_MS - 30_000))).kind, 'continue');
    for (const afterMs of [0, 1000, 300_000, 329_999]) {
      assert.match(reasonOf(await decide(policy, again(DEFAULT_NOW_MS + afterMs))), /seen before/);
    }
    assert.match(reasonOf(await decide(policy, again(DEFAULT_NOW_MS + 330_000))), /too old/);
  });

  it('is good once wherever it is tried, and under whatever label', async () => {
    const first = await compile();
    const second = await compile({ maxAge: '1m', components: ['@method'] });
    const label = (name: string) => signed({ label: name });
    assert.equal((await decide(first, label('a'))).kind, 'continue');
    assert.match(reasonOf(await decide(second, label('b'))), /seen before/);
  });

  it('is good once although it can be turned into another of the same', async () => {
    const policy = await compile();
    const c = signed({ keyId: 'p256', key: p256.privateKey });
    const twin = policyContext({
      path: '/orders/1',
      query: 'page=2',
      state,
      headers: {
        'signature-input': c.request.headers.get('signature-input') ?? '',
        signature: mirrored(c.request.headers.get('signature') ?? ''),
      },
    });
    assert.equal((await decide(policy, c)).kind, 'continue');
    assert.match(reasonOf(await decide(policy, twin)), /seen before/);
  });

  it('is good for each attachment that looks at the same request', async () => {
    const more = { resources: compileDeps().resources };
    const [listener, route] = [await compile({}, more), await compile({ realm: 'orders' }, more)];
    const c = signed();
    assert.equal((await decide(listener, c)).kind, 'continue');
    assert.equal((await decide(route, c)).kind, 'continue');
    assert.match(reasonOf(await decide(route, signed())), /seen before/);
  });

  it('is not used up by what only looks on', async () => {
    const policy = await compile();
    assert.equal((await decide(policy, signed({}, { shadow: true }))).kind, 'continue');
    assert.match(reasonOf(await decide(policy, signed({}, { shadow: true }))), /seen before/);
    assert.equal((await decide(policy, signed())).kind, 'continue');
  });

  it('is good again where replays are allowed, or told apart by a nonce', async () => {
    const lenient = await compile({ replay: 'allow' });
    for (let i = 0; i < 2; i++) assert.equal((await decide(lenient, signed())).kind, 'continue');
    const strict = await compile({ nonce: 'required' });
    for (const nonce of ['1', '2']) {
      assert.equal((await decide(strict, signed({ more: `;nonce="${nonce}"` }))).kind, 'continue');
    }
  });

  it('does not use up a signature that was refused', async () => {
    const policy = await compile();
    const c = signed();
    const headers = {
      'signature-input': c.request.headers.get('signature-input') ?? '',
      signature: 'sig1=:AAAA:',
    };
    assert.match(
      reasonOf(await decide(policy, policyContext({ path: '/orders/1', query: 'page=2', state, headers }))),
      /does not fit/,
    );
    assert.equal((await decide(policy, c)).kind, 'continue');
  });

  it('looks at the body that was signed, and at no other', async () => {
    const policy = await compile();
    const c = put();
    assert.equal((await decide(policy, c)).kind, 'continue');
    assert.equal(policy.wantsBody?.(c), true);
    for (const other of ['', '{"amount":2}', `${BODY} `]) {
      const decision = await policy.requestBody?.(c, bodyView(other));
      assert.match(reasonOf(decision), /body/);
    }
    assert.deepEqual(await policy.requestBody?.(c, bodyView(BODY)), { kind: 'continue' });
  });

  it('refuses a body that nobody signed', async () => {
    const policy = await compile();
    for (const headers of [{ 'content-length': '1' }, { 'transfer-encoding': 'chunked' }]) {
      const c = signed({}, { headers: { ...fieldsOf(signed()), ...headers } });
      assert.equal(reasonOf(await decide(policy, c)), 'the signature does not cover content-digest');
    }
  });

  it('refuses a digest that proves nothing', async () => {
    const c = put(BODY, { 'content-digest': 'md5=:XrY7u+Ae7tCTyyK7j1rNww==:' });
    assert.match(reasonOf(await decide(await compile(), c)), /neither sha-256 nor sha-512/);
  });

  it('does not ask for a body that it says nothing of', async () => {
    const policy = await compile();
    const c = signed();
    await decide(policy, c);
    assert.equal(policy.wantsBody?.(c), false);
    assert.deepEqual(await policy.requestBody?.(c, bodyView('x')), { kind: 'continue' });
  });

  it('in HTTP/2 looks whether there is a body where none was announced', async () => {
    const policy = await compile();
    const c = signed();
    const request = { ...c.request, httpVersion: '2' } as const;
    const two: RecordedContext = { ...c, request };
    assert.equal((await decide(policy, two)).kind, 'continue');
    assert.equal(policy.wantsBody?.(two), true);
    assert.match(reasonOf(await policy.requestBody?.(two, bodyView('x'))), /body/);
    assert.deepEqual(await policy.requestBody?.(two, bodyView('')), { kind: 'continue' });
  });

  it('refuses a request whose signed header would be dropped on the way', async () => {
    const components = [...GET, 'x-tenant'];
    const headers = { 'x-tenant': 'a' };
    const fields = signatureFields(
      { method: 'GET', authority: HOST, target: '/orders/1?page=2', headers },
      { keyId: 'shared', key: SECRET, components, created: NOW },
    );
    const policy = await compile();
    const withFields = (more: object) =>
      policyContext({
        path: '/orders/1',
        query: 'page=2',
        state,
        headers: { ...headers, ...fields, ...more },
      });
    assert.match(reasonOf(await decide(policy, withFields({ connection: 'close, X-Tenant' }))), /Connection/);
    assert.equal((await decide(policy, withFields({ connection: 'close' }))).kind, 'continue');
  });

  it('is of the scheme that callers see', async () => {
    const components = ['@method', '@target-uri'];
    const fields = signatureFields(
      { method: 'GET', scheme: 'https', authority: HOST, target: '/orders/1' },
      { keyId: 'shared', key: SECRET, components, created: NOW },
    );
    const c = () => policyContext({ state, headers: { ...fields } });
    assert.match(reasonOf(await decide(await compile(), c())), /does not fit/);
    assert.equal((await decide(await compile({ scheme: 'https' }), c())).kind, 'continue');
  });

  it('is looked at by its label or its tag alone', async () => {
    const ours = signatureFields(
      { method: 'GET', authority: HOST, target: '/orders/1' },
      { keyId: 'shared', key: SECRET, components: GET, created: NOW, label: 'ours', more: ';tag="us"' },
    );
    const theirs = signatureFields(
      { method: 'GET', authority: HOST, target: '/orders/1' },
      { keyId: 'other', key: SECRET, components: ['@method'], created: 1, label: 'theirs' },
    );
    const headers = {
      'signature-input': `${theirs['signature-input']}, ${ours['signature-input']}`,
      signature: `${ours.signature}, ${theirs.signature}`,
    };
    const c = () => policyContext({ headers, state });
    assert.match(reasonOf(await decide(await compile(), c())), /more than one/);
    const allow = { replay: 'allow' } as const;
    assert.equal((await decide(await compile({ ...allow, label: 'ours' }), c())).kind, 'continue');
    assert.equal((await decide(await compile({ ...allow, tag: 'us' }), c())).kind, 'continue');
    const missing = await decide(await compile({ label: 'nobodys' }), c());
    assert.equal(missing.kind === 'reject' && missing.error.code, 'unauthenticated');
  });

  it('asks what is to be signed, as the request needs it', async () => {
    const policy = await compile({ tag: 'us', label: 'sig1' });
    const asked = async (headers: Readonly<Record<string, string>>) => {
      const decision = await decide(policy, policyContext({ headers }));
      assert.ok(decision.kind === 'reject');
      return decision.error.headers[3];
    };
    const list = (names: readonly string[]) => names.map((name) => `"${name}"`).join(' ');
    assert.equal(await asked({}), `sig1=(${list(GET)});created;tag="us"`);
    assert.equal(
      await asked({ 'content-length': '1' }),
      `sig1=(${list(DEFAULT_COMPONENTS)});created;tag="us"`,
    );
  });

  it('asks the guard by the address, before it looks, and tells it of each wrong one', async () => {
    const guard = recordingGuard();
    const policy = await compile({}, { guard });
    await decide(policy, policyContext());
    assert.deepEqual(guard.calls, []);
    await decide(policy, signed({ key: randomBytes(32) }));
    await decide(policy, policyContext({ headers: { signature: 'x' } }));
    assert.deepEqual(guard.calls, ['check', 'failed', 'check', 'failed']);
    const shut = recordingGuard('refuses');
    const refused = await decide(await compile({}, { guard: shut }), signed());
    assert.equal(refused.kind === 'reject' && refused.error.code, 'too-many-failures');
  });

  it('is synchronous when guard and counters are, and waits when they are not', async () => {
    const policy = await compile();
    assert.deepEqual(policy.request?.(signed()), { kind: 'continue' });
    const c = signed({ more: ';nonce="2"' }, { state: remote(state) });
    const pending = policy.request?.(c);
    assert.ok(pending instanceof Promise);
    assert.equal((await pending).kind, 'continue');
  });

  it('verifies a signature of nobody’s too, at the price of a known one', async () => {
    for (const credentials of [CREDENTIALS, {}]) {
      const policy = await compile({}, {}, credentials);
      const decision = await decide(policy, signed({ keyId: 'nobody', key: Buffer.alloc(32) }));
      assert.equal(reasonOf(decision), 'no consumer has this key id');
    }
  });
});

const fieldsOf = (c: RecordedContext): Record<string, string> => Object.fromEntries(c.request.headers);

/** The second signature that ECDSA has for each: (r, n - s). */
function mirrored(field: string): string {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const bytes = Buffer.from(field.slice(field.indexOf(':') + 1, -1), 'base64');
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const twin = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  return `sig1=:${twin.toString('base64')}:`;
}
