/** Requests of callers who name themselves by a password or by a signature, right and wrong. */

import { contentDigest, type Signing, signatureFields } from '../../fixtures/http-signature.ts';
import type { Dice } from '../../fuzz/generate.ts';
import { KEYS } from './document.ts';
import type { Draft } from './requests.ts';

const HOST = 'other.test';

const basic = (user: string, password: string) => [
  'Authorization',
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
];

const RIGHT = basic('ann', KEYS.ANN_PASSWORD);
const PASSWORDS: readonly (readonly string[])[] = [
  RIGHT,
  RIGHT,
  RIGHT,
  RIGHT,
  [],
  basic('ann', 'guess'),
  basic('nobody', KEYS.ANN_PASSWORD),
  [...RIGHT, ...RIGHT],
  ['Authorization', 'Basic ?'],
];

export const sendPassword = (dice: Dice): Draft => ({
  method: dice.pick(['GET', 'POST']),
  host: HOST,
  path: '/desk/here',
  fields: dice.pick(PASSWORDS),
});

const SECRET = Buffer.from(KEYS.ANN_SIGNING_SECRET);
const COMPONENTS = ['@method', '@authority', '@path', '@query'];
const SIGNINGS: readonly Partial<Signing>[] = [
  {},
  {},
  {},
  { components: COMPONENTS.slice(1) },
  { keyId: 'nobody' },
  { key: Buffer.alloc(32) },
  { more: ';nonce="used twice"' },
];

/** Signed when it is made, a minute before it is sent at most: the times in it tell requests of one run from another's. */
export function sendSignature(dice: Dice): Draft {
  const body = dice.pick(['', '{"a":1}']);
  const method = body === '' ? 'GET' : 'POST';
  const headers = body === '' ? {} : { 'content-digest': contentDigest(body) };
  const query = dice.pick(['', 'page=1']);
  const target = `/signed/here${query === '' ? '' : `?${query}`}`;
  const signing: Signing = {
    keyId: 'ann-signs',
    key: SECRET,
    components: body === '' ? COMPONENTS : [...COMPONENTS, 'content-digest'],
    created: Math.floor(Date.now() / 1000),
    more: `;nonce="${dice.below(1_000_000)}"`,
    ...dice.pick(SIGNINGS),
  };
  const fields = signatureFields({ method, authority: HOST, target, headers }, signing);
  return {
    method,
    host: HOST,
    path: '/signed/here',
    query,
    fields: Object.entries({ ...headers, ...fields }).flat(),
    body: dice.oneIn(8) && body !== '' ? '{"a":2}' : body,
  };
}
