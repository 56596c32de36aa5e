import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSystemRandom } from '../../lib/system.ts';
import { Seal } from './seal.ts';

const [A, B] = ['a'.repeat(32), 'b'.repeat(32)];
const RANDOM = createSystemRandom();
const SAME = { hex: (bytes: number) => '0'.repeat(bytes * 2) };
const TEXT = '["a session",1,"ünïcode"]';

describe('a sealed text', () => {
  const sealed = new Seal([A], 'session').seal(TEXT, RANDOM);

  const CLOSED: readonly (readonly [name: string, seal: Seal, sealed: string, kind: 'foreign' | 'forged'])[] =
    [
      ['of another secret', new Seal([B], 'session'), sealed, 'foreign'],
      ['of another purpose', new Seal([A], 'sign-in'), sealed, 'foreign'],
      ['of nothing', new Seal([A], 'session'), '', 'foreign'],
      ['that is cut', new Seal([A], 'session'), sealed.slice(0, -1), 'forged'],
      ['that is cut to its head', new Seal([A], 'session'), sealed.slice(0, 40), 'foreign'],
      ['that is longer', new Seal([A], 'session'), `${sealed}AA`, 'forged'],
      ['with other characters', new Seal([A], 'session'), `${sealed}=`, 'foreign'],
      ['of another version', new Seal([A], 'session'), `B${sealed.slice(1)}`, 'foreign'],
    ];
  for (const [name, seal, text, kind] of CLOSED)
    it(`${name} is ${kind}`, () => assert.deepEqual(seal.open(text), { kind }));

  it('is never opened with one bit changed', () => {
    const seal = new Seal([A], 'session');
    const bytes = Buffer.from(sealed, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] ^= 1 << (bit & 7);
      assert.notEqual(seal.open(changed.toString('base64url')).kind, 'opened', `bit ${bit}`);
    }
  });

  it('opens with its secret', () => {
    assert.deepEqual(new Seal([A], 'session').open(sealed), { kind: 'opened', text: TEXT });
  });

  it('opens with a secret that seals no more', () => {
    assert.equal(new Seal([B, A], 'session').open(sealed).kind, 'opened');
    const newer = new Seal([B, A], 'session').seal(TEXT, RANDOM);
    assert.equal(new Seal([A], 'session').open(newer).kind, 'foreign');
  });

  it('is another one each time', () => {
    const seal = new Seal([A], 'session');
    assert.notEqual(seal.seal(TEXT, RANDOM), seal.seal(TEXT, RANDOM));
  });

  it('never has the nonce of another text, even where randomness repeats', () => {
    const seal = new Seal([A], 'session');
    const nonceOf = (text: string) => Buffer.from(seal.seal(text, SAME), 'base64url').toString('hex', 5, 17);
    const nonces = new Set(Array.from({ length: 100 }, (_, i) => nonceOf(`text ${i}`)));
    assert.equal(nonces.size, 100);
  });

  it('tells nothing of its text', () => {
    assert.equal(Buffer.from(sealed, 'base64url').includes('session'), false);
  });
});
