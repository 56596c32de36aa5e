import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { InternalError } from '../../src/errors.ts';
import { SECRET_ALGORITHMS } from '../../src/identity/index.ts';
import {
  KeySet,
  loadSignatureCheck,
  publicKeyOf,
  readCompactJws,
  type VerificationKey,
  verifyWith,
} from '../../src/tokens/index.ts';

/** Wycheproof's vectors for JWS and JWK, through the reading and verifying that policies use. */

const FOLDER = join(import.meta.dirname, '../../../shared/suites/jose-wycheproof');
const skip = existsSync(FOLDER) ? false : 'suite not on this machine';

const OTHER_ALGORITHM = 'the key says PS256 and the token PS384; a key is for what it says (RFC 7517 §4.4)';
const NO_ALGORITHM = 'the key says ES521, which is no algorithm (RFC 7518 §3.1 has ES512)';
const STRAY = '"?" is no character of base64url, and is not skipped (RFC 7515 §2)';
const SAME_TOKEN = 'the very text of a token that others call valid: nothing is wrong with it any more';

/** Where we say otherwise than the vector, by file and number, each with its reason. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'json_web_signature 346': OTHER_ALGORITHM,
  'json_web_signature 347': NO_ALGORITHM,
  'json_web_signature 350': OTHER_ALGORITHM,
  'json_web_signature 351': NO_ALGORITHM,
  'json_web_signature 367': SAME_TOKEN,
  'json_web_signature 370': SAME_TOKEN,
  'json_web_signature 372': STRAY,
  'json_web_signature 373': STRAY,
};

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  /** A text, or the JSON serialization. */
  readonly jws?: unknown;
  readonly result: 'valid' | 'invalid';
}
type Jwk = Readonly<Record<string, unknown>>;
interface Group {
  readonly public?: Jwk;
  readonly private?: Jwk;
  readonly tests: readonly Vector[];
}

const check = await loadSignatureCheck();

function groupsOf(name: string): readonly Group[] {
  return JSON.parse(readFileSync(join(FOLDER, `${name}_test.json`), 'utf8')).testGroups;
}

/** The public half, or the secret where there is none. A set is a set. */
function keysOf(group: Group): readonly VerificationKey[] {
  const jwk = group.public ?? group.private ?? {};
  const list: readonly unknown[] = Array.isArray(jwk.keys) ? jwk.keys : [jwk];
  return list.flatMap((one) => {
    const key = secretOf(one) ?? publicKeyOf(one);
    return typeof key === 'string' ? [] : [key];
  });
}

/** Secrets never come from a set where this program reads them; here they are given as one would write them down. */
function secretOf(jwk: unknown): VerificationKey | undefined {
  if (typeof jwk !== 'object' || jwk === null || !('kty' in jwk && jwk.kty === 'oct' && 'k' in jwk))
    return undefined;
  const bytes = Buffer.from(String(jwk.k), 'base64url');
  const alg = 'alg' in jwk ? jwk.alg : undefined;
  const algorithms = Object.entries(SECRET_ALGORITHMS).flatMap(([name, min]) =>
    bytes.length >= min && (alg === undefined || alg === name) ? [name] : [],
  );
  const kid = 'kid' in jwk ? String(jwk.kid) : undefined;
  return { kid, servesAnyKid: kid === undefined, algorithms, key: createSecretKey(bytes) };
}

async function judge(token: unknown, keys: readonly VerificationKey[]): Promise<string> {
  if (typeof token !== 'string') return 'not in compact form';
  const jws = readCompactJws(token);
  if ('fault' in jws) return jws.fault;
  try {
    return await verifyWith(check, jws, new KeySet(keys));
  } catch (error) {
    if (error instanceof InternalError) return error.message;
    throw error;
  }
}

/** Vectors judged otherwise than they say, and how many there are. */
async function run(name: string): Promise<{ readonly otherwise: string[]; readonly count: number }> {
  const otherwise: string[] = [];
  let count = 0;
  for (const group of groupsOf(name)) {
    const keys = keysOf(group);
    for (const { tcId, jws, result } of group.tests) {
      if (jws === undefined) continue;
      count++;
      const outcome = await judge(jws, keys);
      if ((outcome === 'verified') !== (result === 'valid')) otherwise.push(`${name} ${tcId}`);
    }
  }
  return { otherwise, count };
}

describe('Wycheproof’s vectors', { skip }, () => {
  for (const [name, least] of [
    ['json_web_signature', 401],
    ['json_web_key', 26],
    ['json_web_crypto', 49],
  ] as const) {
    test(`${name}: judged as they say, or with a reason`, async (t) => {
      const { otherwise, count } = await run(name);
      const reasons = Object.keys(OTHERWISE).filter((one) => one.startsWith(`${name} `));
      t.diagnostic(`${count} vectors, ${count - otherwise.length} as they say`);
      assert.ok(count >= least, `only ${count} vectors were found`);
      assert.deepEqual(otherwise, reasons);
    });
  }

  test('those called invalid and taken are the text of a valid one', () => {
    const base64 = groupsOf('json_web_signature').flatMap(({ tests }) => tests);
    const valid = new Set(base64.filter(({ result }) => result === 'valid').map(({ jws }) => jws));
    for (const id of Object.keys(OTHERWISE).filter((one) => OTHERWISE[one] === SAME_TOKEN)) {
      const vector = base64.find(({ tcId }) => `json_web_signature ${tcId}` === id);
      assert.ok(vector !== undefined && vector.result === 'invalid' && valid.has(vector.jws), id);
    }
  });
});
