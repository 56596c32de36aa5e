import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { issuesOf } from '../../../test/fixtures/config.ts';
import { cryptoCalls } from '../../../test/fixtures/crypto-calls.ts';
import {
  digestVerifier,
  hashPassword,
  parsePasswordHash,
  readPasswordVerifier,
  verifyPassword,
} from './password-hash.ts';

const SALT = 'c29tZXNhbHQ';
const TAG = 'A'.repeat(43);
const phc = (cost: string, salt = SALT, tag = TAG) => `$argon2id$v=19$${cost}$${salt}$${tag}`;

describe('a password hash is refused', () => {
  const cases: readonly [name: string, text: string, message: RegExp][] = [
    ['for no hash', 'hunter2', /PHC/],
    ['for nothing', '', /PHC/],
    ['for argon2i', phc('m=64,t=1,p=1').replace('argon2id', 'argon2i'), /PHC/],
    ['for bcrypt', '$2b$12$abcdefghijklmnopqrstuv', /PHC/],
    ['for an old version', phc('m=64,t=1,p=1').replace('v=19', 'v=16'), /PHC/],
    ['for parameters in another order', phc('t=1,m=64,p=1'), /PHC/],
    ['for a parameter more', phc('m=64,t=1,p=1,keyid=a'), /PHC/],
    ['for a number with a zero before it', phc('m=064,t=1,p=1'), /PHC/],
    ['for what comes after it', `${phc('m=64,t=1,p=1')}\n`, /PHC/],
    ['for a text without end', phc('m=64,t=1,p=1', SALT, 'A'.repeat(300)), /PHC/],
    ['for memory that would exhaust the machine', phc('m=2097152,t=1,p=1'), /KiB \(m\)/],
    ['for passes without end', phc('m=65536,t=9999,p=1'), /m times t/],
    ['for just too much work', phc('m=65536,t=5,p=1'), /m times t/],
    ['for too many lanes', phc('m=65536,t=1,p=5'), /lanes/],
    ['for less memory than lanes need', phc('m=15,t=1,p=2'), /8 KiB/],
    ['for a short salt', phc('m=64,t=1,p=1', 'c2hvcnQ'), /salt/],
    ['for a hash that is short enough to meet', phc('m=64,t=1,p=1', SALT, 'AAAA'), /hash/],
    ['for padded base64', phc('m=64,t=1,p=1', `${SALT}=`), /PHC/],
    ['for a second spelling of its salt', phc('m=64,t=1,p=1', 'c29tZXNhbHR'), /salt is not base64/],
    [
      'for a second spelling of its hash',
      phc('m=64,t=1,p=1', SALT, `${'A'.repeat(42)}B`),
      /hash is not base64/,
    ],
  ];
  for (const [name, text, message] of cases) {
    it(name, async () => {
      const [{ message: told }] = await issuesOf(() => parsePasswordHash(text));
      assert.match(told, message);
      assert.ok(text.length < 9 || !told.includes(text));
    });
  }
});

function priceOf([, parameters]: readonly unknown[]): object {
  assert.ok(typeof parameters === 'object' && parameters !== null);
  const { memory, passes, parallelism } = { memory: 0, passes: 0, parallelism: 0, ...parameters };
  return { memory, passes, parallelism };
}

describe('a password hash is read', () => {
  it('in all its parts', () => {
    assert.deepEqual(parsePasswordHash(phc('m=65536,t=4,p=4')), {
      memoryKiB: 65_536,
      passes: 4,
      lanes: 4,
      salt: Buffer.from('somesalt'),
      tag: Buffer.alloc(32),
    });
  });
});

/** From the tests of the reference implementation (P-H-C/phc-winner-argon2, src/test.c). */
const FOREIGN = [
  '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
  '$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc',
];

describe('a password is verified', () => {
  for (const text of FOREIGN) {
    it(`against ${text.slice(0, 31)}…`, async () => {
      const verifier = readPasswordVerifier(text);
      assert.equal(await verifyPassword('ann', 'Password', verifier), false);
      assert.equal(await verifyPassword('ann', '', verifier), false);
      assert.equal(await verifyPassword('ann', 'password', verifier), true);
    });
  }

  it('against a hash made here, which no two have in common', async () => {
    const text = await hashPassword('pässword', Buffer.alloc(16, 1));
    assert.match(text, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$AQEBAQEBAQEBAQEBAQEBAQ\$[A-Za-z0-9+/]{43}$/);
    assert.equal(await verifyPassword('ann', 'password', readPasswordVerifier(text)), false);
    assert.equal(await verifyPassword('ann', 'pässword', readPasswordVerifier(text)), true);
    assert.notEqual(await hashPassword('pässword', Buffer.alloc(16, 2)), text);
    await assert.rejects(hashPassword('pässword', Buffer.alloc(15)), TypeError);
  });

  it('against the digest of one given in clear, which is bound to its user', async () => {
    const verifier = readPasswordVerifier(digestVerifier('ann', 'secret-1'));
    assert.equal(await verifyPassword('ann', 'secret-2', verifier), false);
    assert.equal(await verifyPassword('ben', 'secret-1', verifier), false);
    assert.equal(await verifyPassword('ann', 'secret-1', verifier), true);
    assert.notEqual(digestVerifier('ann', 'secret-1'), digestVerifier('ben', 'secret-1'));
    assert.equal(digestVerifier('ann', 'secret-1').includes('secret-1'), false);
  });

  it('against nothing, and is wrong', async () => {
    assert.equal(await verifyPassword('nobody', '', undefined), false);
    assert.equal(await verifyPassword('nobody', 'password', undefined), false);
  });

  it('at one price, whatever it is held against: time does not tell whether there is one', async () => {
    const held = [
      undefined,
      readPasswordVerifier(digestVerifier('ann', 'password')),
      readPasswordVerifier(await hashPassword('password', Buffer.alloc(16))),
    ];
    for (const verifier of held) {
      for (const password of ['password', 'wrong', '']) {
        const calls = await cryptoCalls('argon2', () => verifyPassword('ann', password, verifier));
        assert.deepEqual(calls.map(priceOf), [{ memory: 19_456, passes: 2, parallelism: 1 }]);
      }
    }
  });
});
