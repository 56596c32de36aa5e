import assert from 'node:assert/strict';
import { generateKeyPairSync, hash, type KeyObject, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { AUTHORITY, LOCAL, OTHER } from '../../test/fixtures/certificates.ts';
import { filesFrom, issuesOf, KEY } from '../../test/fixtures/config.ts';
import type { Consumer, CredentialMatch, LiveConsumers, LiveMatch } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { readPasswordVerifier, readSignatureKey, verifyPassword } from '../identity/index.ts';
import { matches } from '../lib/schema-check.ts';
import { LiveState } from '../state/index.ts';
import { buildConsumers } from './consumers.ts';
import { explain } from './explain.ts';
import { IssueList } from './issues.ts';
import { ConsumerSchema } from './schema/consumer.ts';
import type { CredentialConfig } from './schema/credential.ts';
import type { ConsumerConfig } from './schema/document.ts';

const fingerprint = (secret: string) => hash('sha256', secret, 'base64url');
const hexHash = (secret: string) => `sha256:${hash('sha256', secret)}`;
const pemOf = (key: KeyObject) => String(key.export({ type: 'spki', format: 'pem' }));
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const certificate = new X509Certificate(LOCAL.cert);
const thumbprint = hash('sha256', certificate.raw, 'base64url');

const PASSWORD = 'correct horse b\u00e4ttery';
/** Of `password`. */
const HASH = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';

const SECRETS: Readonly<Record<string, string>> = {
  'env:A': `${KEY}-env:A`,
  'env:B': `${KEY}-env:B`,
  'env:SHORT': 'fifteen-chars-x',
  'env:LONG': 'x'.repeat(513),
  'env:SPACED': 'sixteen chars and spaces',
  'env:PASSWORD': PASSWORD,
  'env:SEVEN': '1234567',
  'env:CONTROL': 'password\u0007',
  'env:LONG_PASSWORD': 'x'.repeat(513),
  'env:HASH': HASH,
  'env:HUGE': HASH.replace('m=256', 'm=4194304'),
  'env:BYTES': 's'.repeat(32),
  'env:FEW': 's'.repeat(31),
  'env:BASE64': Buffer.alloc(32, 7).toString('base64'),
  'env:FEW64': Buffer.alloc(31, 7).toString('base64'),
};
const FILES = {
  'key.pem': pemOf(publicKey),
  'private.pem': String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  'local.crt': `a text before it\n${LOCAL.cert}`,
  'chain.crt': LOCAL.cert + AUTHORITY,
  'broken.crt': LOCAL.cert.replace('MIIB', 'MIIC'),
  'text.txt': 'hello',
};

const SOURCES = {
  files: filesFrom(FILES),
  secrets: {
    resolve(reference: string) {
      const value = SECRETS[reference];
      if (value === undefined) throw ConfigError.at('', 'the environment has no such name');
      return value;
    },
  },
};

const build = (consumers: readonly ConsumerConfig[], live = new LiveState()) => {
  const issues = new IssueList();
  const directory = buildConsumers(consumers, [], SOURCES, live, issues);
  issues.throwIfAny();
  return directory;
};
const holding = (...credentials: readonly CredentialConfig[]): ConsumerConfig => ({
  name: 'app',
  groups: ['partners'],
  credentials: [...credentials],
});
const app = (more: object = {}): ConsumerConfig =>
  holding({ 'api-key': { secret: 'env:A' } }, { 'api-key': { secret: 'env:B', id: 'second', ...more } });
const verifierOf = (match: CredentialMatch | undefined): string => {
  assert.ok(match?.verifier !== undefined);
  return match.verifier;
};

describe('a credential is refused', () => {
  const at = (kind: string, key: string) =>
    `consumers[0].credentials[0].${kind}${key === '' ? '' : `.${key}`}`;
  const key = (more: object) => ({ 'api-key': more });
  const basic = (more: object) => ({ 'basic-auth': { username: 'ann', ...more } });
  const signed = (more: object) => ({ 'hmac-signature': { keyId: 'k1', ...more } });
  const mtls = (more: object) => ({ mtls: more });
  const cases: readonly [name: string, credential: CredentialConfig, path: string, message: RegExp][] = [
    ['without a key', key({}), at('api-key', ''), /needs "secret" or "hash"/],
    ['with two', key({ secret: 'env:A', hash: hexHash('x') }), at('api-key', ''), /both "secret" and "hash"/],
    ['when its key is not there', key({ secret: 'env:NONE' }), at('api-key', 'secret'), /no such name/],
    ['when its key can be guessed', key({ secret: 'env:SHORT' }), at('api-key', 'secret'), /shorter than 16/],
    [
      'when its key is too long to send',
      key({ secret: 'env:LONG' }),
      at('api-key', 'secret'),
      /visible ASCII/,
    ],
    [
      'when no header carries its key',
      key({ secret: 'env:SPACED' }),
      at('api-key', 'secret'),
      /visible ASCII/,
    ],
    ['without a password', basic({}), at('basic-auth', ''), /needs "password" or "passwordHash"/],
    [
      'with two passwords',
      basic({ password: 'env:PASSWORD', passwordHash: 'env:HASH' }),
      at('basic-auth', ''),
      /both/,
    ],
    ['when its password is short', basic({ password: 'env:SEVEN' }), at('basic-auth', 'password'), /shorter/],
    [
      'when its password cannot be sent',
      basic({ password: 'env:CONTROL' }),
      at('basic-auth', 'password'),
      /control/,
    ],
    [
      'when its password is endless',
      basic({ password: 'env:LONG_PASSWORD' }),
      at('basic-auth', 'password'),
      /more than 512/,
    ],
    [
      'when its password hash is none',
      basic({ passwordHash: 'env:PASSWORD' }),
      at('basic-auth', 'passwordHash'),
      /PHC/,
    ],
    [
      'when its password hash would hold a worker',
      basic({ passwordHash: 'env:HUGE' }),
      at('basic-auth', 'passwordHash'),
      /KiB/,
    ],
    ['without a signing key', signed({}), at('hmac-signature', ''), /needs "secret" or "publicKey"/],
    [
      'with two signing keys',
      signed({ secret: 'env:BYTES', publicKey: 'file:key.pem' }),
      at('hmac-signature', ''),
      /both/,
    ],
    [
      'when its shared secret is short',
      signed({ secret: 'env:FEW' }),
      at('hmac-signature', 'secret'),
      /32 bytes/,
    ],
    [
      'when its decoded secret is short',
      signed({ secret: 'env:FEW64', encoding: 'base64' }),
      at('hmac-signature', 'secret'),
      /32 bytes/,
    ],
    [
      'when its secret is no base64',
      signed({ secret: 'env:SPACED', encoding: 'base64' }),
      at('hmac-signature', 'secret'),
      /base64/,
    ],
    [
      'when a private key was given away',
      signed({ publicKey: 'file:private.pem' }),
      at('hmac-signature', 'publicKey'),
      /private key/,
    ],
    [
      'when its public key is none',
      signed({ publicKey: 'file:text.txt' }),
      at('hmac-signature', 'publicKey'),
      /no public key/,
    ],
    [
      'when its key file is not there',
      signed({ publicKey: 'file:no' }),
      at('hmac-signature', 'publicKey'),
      /read/,
    ],
    ['without a certificate', mtls({}), at('mtls', ''), /needs "certificate" or "thumbprint"/],
    [
      'when its file holds no certificate',
      mtls({ certificate: 'file:text.txt' }),
      at('mtls', 'certificate'),
      /holds 0/,
    ],
    ['when it is a chain', mtls({ certificate: 'file:chain.crt' }), at('mtls', 'certificate'), /holds 2/],
    ['when it is broken', mtls({ certificate: 'file:broken.crt' }), at('mtls', 'certificate'), /can be read/],
    [
      'when its thumbprint is a second spelling',
      mtls({ thumbprint: `${'A'.repeat(42)}B` }),
      at('mtls', 'thumbprint'),
      /base64url/,
    ],
    [
      'when it ends before it begins',
      key({ secret: 'env:A', notBefore: '2027-02-01', expires: '2027-01-31' }),
      at('api-key', 'expires'),
      /never accepted/,
    ],
    [
      'when it begins on no day',
      key({ secret: 'env:A', notBefore: '2027-02-30' }),
      at('api-key', 'notBefore'),
      /calendar/,
    ],
  ];
  for (const [name, credential, path, message] of cases) {
    it(name, async () => {
      const [issue, ...more] = await issuesOf(() => build([holding(credential)]));
      assert.deepEqual(more, []);
      assert.equal(issue.path, path);
      assert.match(issue.message, message);
      for (const secret of Object.values(SECRETS)) assert.ok(!JSON.stringify(issue).includes(secret));
    });
  }

  const twins: readonly [name: string, one: CredentialConfig, other: CredentialConfig, key: string][] = [
    [
      'as a key and as its hash',
      key({ secret: 'env:A' }),
      key({ hash: hexHash(`${KEY}-env:A`) }),
      'api-key.hash',
    ],
    [
      'as a user',
      basic({ password: 'env:PASSWORD' }),
      basic({ passwordHash: 'env:HASH' }),
      'basic-auth.username',
    ],
    [
      'as a key id',
      signed({ secret: 'env:BYTES' }),
      signed({ publicKey: 'file:key.pem' }),
      'hmac-signature.keyId',
    ],
    [
      'as a certificate and its thumbprint',
      mtls({ certificate: 'file:local.crt' }),
      mtls({ thumbprint }),
      'mtls.thumbprint',
    ],
  ];
  for (const [name, one, other, where] of twins) {
    it(`when it is there twice, ${name}`, async () => {
      const second = { name: 'other', credentials: [other] };
      const issues = await issuesOf(() => build([holding(one), second]));
      assert.deepEqual(
        issues.map(({ path }) => path),
        [`consumers[1].credentials[0].${where}`],
      );
      assert.match(issues[0].message, /consumer "app"/);
    });
  }
});

describe('a credential of unsound form is told of its own kind', () => {
  const cases: readonly [credential: object, told: readonly string[]][] = [
    [{}, ['[0]: must have at least 1 key']],
    [{ 'api-key': { secret: 'env:A' }, mtls: { thumbprint } }, ['[0]: must have at most 1 keys']],
    [{ 'api-kye': {} }, ['[0].api-kye: unknown key "api-kye"']],
    [
      { 'basic-auth': { username: 'a:b', pass: 'x' } },
      ['[0].basic-auth.username: *', '[0].basic-auth.pass: *'],
    ],
    [{ 'basic-auth': { username: 'a\u0000' } }, ['[0].basic-auth.username: *']],
    [{ 'basic-auth': { password: 'hunter2hunter2', username: 'a' } }, ['[0].basic-auth.password: *']],
    [{ 'api-key': { hash: 'sha256:00' } }, ['[0].api-key.hash: *']],
    [{ 'hmac-signature': { keyId: 'a"b' } }, ['[0].hmac-signature.keyId: *']],
    [{ mtls: { thumbprint: 'AA:BB' } }, ['[0].mtls.thumbprint: *']],
    [{ 'api-key': { secret: 'env:A', expires: 'soon' } }, ['[0].api-key.expires: *']],
  ];
  for (const [credential, told] of cases) {
    it(JSON.stringify(credential), async () => {
      const consumer = { name: 'app', credentials: [credential] };
      assert.equal(matches(ConsumerSchema, consumer), false);
      const issues = new IssueList();
      explain(ConsumerSchema, consumer, [], issues);
      const found = (await issuesOf(() => issues.throwIfAny())).map(
        ({ path, message }) => `${path}: ${message}`,
      );
      assert.equal(found.length, told.length, found.join('\n'));
      for (const [i, one] of told.entries()) {
        assert.ok(found[i].startsWith(`credentials${one.replace('*', '')}`), found[i]);
      }
      assert.doesNotMatch(found.join(), /hunter2/);
    });
  }
});

describe('a consumer directory', () => {
  it('finds credentials by kind and fingerprint only', () => {
    const directory = build([app()]);
    assert.equal(directory.find('api-key', `${KEY}-env:A`), undefined);
    assert.equal(directory.find('basic-auth', fingerprint(`${KEY}-env:A`)), undefined);
    assert.equal(directory.find('api-key', 'constructor'), undefined);
    assert.deepEqual(directory.find('api-key', fingerprint(`${KEY}-env:A`)), {
      identity: {
        consumer: 'app',
        groups: ['partners'],
        scopes: [],
        claims: {},
        credential: { id: 'app-1', kind: 'api-key' },
      },
      expiresAtMs: undefined,
    });
    assert.equal(directory.find('api-key', fingerprint(`${KEY}-env:B`))?.identity.credential?.id, 'second');
  });

  it('finds a key by the hash that stands for it', () => {
    const directory = build([holding({ 'api-key': { hash: hexHash('a key that is nowhere') } })]);
    assert.equal(directory.find('api-key', fingerprint('a key that is nowhere'))?.identity.consumer, 'app');
  });

  it('finds users, whose passwords are verified', async () => {
    const directory = build([
      holding(
        { 'basic-auth': { username: 'ann', password: 'env:PASSWORD' } },
        { 'basic-auth': { username: 'J\u00fcrgen Sch', passwordHash: 'env:HASH', id: 'j' } },
      ),
    ]);
    assert.equal(directory.find('basic-auth', 'Ann'), undefined);
    const ann = readPasswordVerifier(verifierOf(directory.find('basic-auth', 'ann')));
    assert.equal(await verifyPassword('ann', 'password', ann), false);
    assert.equal(await verifyPassword('ann', PASSWORD, ann), true);
    const other = directory.find('basic-auth', 'J\u00fcrgen Sch');
    assert.deepEqual(other?.identity.credential, { id: 'j', kind: 'basic-auth' });
    assert.equal(await verifyPassword('', 'password', readPasswordVerifier(verifierOf(other))), true);
  });

  it('finds signing keys', () => {
    const directory = build([
      holding(
        { 'hmac-signature': { keyId: 'text', secret: 'env:BYTES' } },
        { 'hmac-signature': { keyId: 'bytes', secret: 'env:BASE64', encoding: 'base64' } },
        { 'hmac-signature': { keyId: 'key', publicKey: 'file:key.pem' } },
      ),
    ]);
    const algorithmOf = (keyId: string) =>
      readSignatureKey(verifierOf(directory.find('hmac-signature', keyId))).algorithm;
    assert.deepEqual(['text', 'bytes', 'key'].map(algorithmOf), ['hmac-sha256', 'hmac-sha256', 'ed25519']);
  });

  it('finds certificates by their thumbprint, however it is written', () => {
    const other = new X509Certificate(OTHER.cert);
    for (const written of [
      { thumbprint: hash('sha256', other.raw, 'base64url') },
      { thumbprint: hash('sha256', other.raw) },
      { thumbprint: other.fingerprint256 },
    ]) {
      const directory = build([holding({ mtls: { certificate: 'file:local.crt' } }, { mtls: written })]);
      assert.equal(directory.find('mtls', thumbprint)?.identity.credential?.id, 'app-1');
      const found = directory.find('mtls', hash('sha256', other.raw, 'base64url'));
      assert.equal(found?.identity.credential?.id, 'app-2');
    }
  });

  it('knows names and groups', () => {
    const directory = build([app()]);
    assert.deepEqual(
      [
        directory.has('app'),
        directory.has('partners'),
        directory.hasGroup('partners'),
        directory.hasGroup('app'),
      ],
      [true, false, true, false],
    );
    assert.deepEqual([directory.has('toString'), directory.hasGroup('constructor')], [false, false]);
    assert.deepEqual([[...directory.names], [...directory.groups]], [['app'], ['partners']]);
  });

  const times: readonly [expires: string, time: number][] = [
    ['2027-01-31', Date.UTC(2027, 0, 31, 23, 59, 59, 999)],
    ['2028-02-29', Date.UTC(2028, 1, 29, 23, 59, 59, 999)],
    ['2027-01-31T12:00:00Z', Date.UTC(2027, 0, 31, 12)],
    ['2027-01-31T12:00+02:00', Date.UTC(2027, 0, 31, 10)],
  ];
  for (const [expires, time] of times) {
    it(`a credential of ${expires} is good until then`, () => {
      assert.equal(build([app({ expires })]).find('api-key', fingerprint(`${KEY}-env:B`))?.expiresAtMs, time);
    });
  }

  it('a credential that is not before a day is good from its beginning', () => {
    const match = build([app({ notBefore: '2027-01-31' })]).find('api-key', fingerprint(`${KEY}-env:B`));
    assert.equal(match?.notBeforeMs, Date.UTC(2027, 0, 31));
  });

  it('does not find what was revoked, nor what is of a disabled consumer', () => {
    const live = new LiveState();
    const directory = build([app()], live);
    const nothing = { subject: 'revocations', credentials: [], consumers: [], tokens: [] } as const;
    live.apply({ ...nothing, credentials: ['app-1'] });
    assert.equal(directory.find('api-key', fingerprint(`${KEY}-env:A`)), undefined);
    assert.ok(directory.find('api-key', fingerprint(`${KEY}-env:B`)) !== undefined);
    live.apply({ ...nothing, consumers: ['app'] });
    assert.equal(directory.find('api-key', fingerprint(`${KEY}-env:B`)), undefined);
    assert.equal(directory.consumer('app'), 'disabled');
  });

  it('finds what is kept live, unless the document has it too', () => {
    const kept = (consumer: string, isOfDocument: boolean): LiveMatch => ({
      identity: {
        consumer,
        groups: [],
        scopes: [],
        claims: {},
        credential: { id: 'live-1', kind: 'api-key' },
      },
      expiresAtMs: 7,
      isOfDocument,
    });
    const all = new Map([
      [fingerprint(`${KEY}-env:A`), kept('thief', false)],
      ['other', kept('live', false)],
      ['of the document', kept('app', true)],
      ['of nobody', kept('gone', true)],
      ['declared since', kept('app', false)],
    ]);
    const consumers: LiveConsumers = {
      find: (kind, key) => (kind === 'api-key' ? all.get(key) : undefined),
      consumer: (name: string): Consumer | undefined =>
        name === 'live' ? { name, groups: ['kept'] } : undefined,
    };
    const directory = build([app()], new LiveState(consumers));
    assert.equal(directory.find('api-key', fingerprint(`${KEY}-env:A`))?.identity.consumer, 'app');
    assert.equal(directory.find('api-key', 'other')?.identity.consumer, 'live');
    assert.equal(directory.find('mtls', 'other'), undefined);
    assert.equal(directory.find('api-key', 'of nobody'), undefined);
    const added = directory.find('api-key', 'of the document');
    assert.deepEqual(
      [added?.identity.groups, added?.identity.credential, added?.expiresAtMs],
      [['partners'], { id: 'live-1', kind: 'api-key' }, 7],
    );
    assert.equal(directory.find('api-key', 'of the document'), added);
    assert.deepEqual(directory.find('api-key', 'declared since')?.identity.groups, ['partners']);
    assert.deepEqual(directory.consumer('live'), { name: 'live', groups: ['kept'] });
  });

  it('gives what is not there a verifier of its kind, the same one each time', () => {
    const users = Array.from({ length: 8 }, (_, i) => ({
      'basic-auth': { username: `user-${i}`, password: 'env:PASSWORD' },
    }));
    const parts = [holding({ 'api-key': { secret: 'env:A' } }, ...users)];
    const directory = build(parts);
    const names = Array.from({ length: 50 }, (_, i) => `nobody-${i}`);
    const chosen = names.map((name) => directory.decoy('basic-auth', name));
    const verifiers = users.map((user) =>
      verifierOf(directory.find('basic-auth', user['basic-auth'].username)),
    );
    assert.ok(chosen.every((verifier) => verifier !== undefined && verifiers.includes(verifier)));
    assert.ok(new Set(chosen).size > 1);
    const again = build(parts);
    assert.deepEqual(
      names.map((name) => again.decoy('basic-auth', name)),
      chosen,
    );
    assert.equal(directory.decoy('hmac-signature', 'k'), undefined);
    assert.equal(directory.decoy('api-key', 'k'), undefined);
  });

  it('never shows a secret, not even in its fingerprint', () => {
    const directory = build([app()]);
    assert.doesNotMatch(JSON.stringify(directory), new RegExp(KEY));
    assert.match(directory.fingerprint, /^[0-9a-f]{64}$/);
    assert.equal(build([app()]).fingerprint, directory.fingerprint);
  });

  it('is another when anything in it is', () => {
    const user = (more: object) => holding({ 'basic-auth': { username: 'ann', ...more } });
    const directories = [
      [app()],
      [app({ expires: '2027-01-31' })],
      [app({ notBefore: '2027-01-31' })],
      [app({ id: 'third' })],
      [{ ...app(), groups: [] }],
      [user({ password: 'env:PASSWORD' })],
      [user({ password: 'env:A' })],
      [user({ passwordHash: 'env:HASH' })],
      [holding({ 'hmac-signature': { keyId: 'ann', secret: 'env:BYTES' } })],
      [holding({ mtls: { thumbprint } })],
    ].map((consumers) => build(consumers).fingerprint);
    assert.equal(new Set(directories).size, directories.length);
  });
});
