import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as sf from 'structured-headers';
import { readDictionary } from '../../src/policies/hmac-signature/structured-fields.ts';

/** The working group's tests of Structured Fields (RFC 9651), through the reading that signatures go by. */

const FOLDER = join(import.meta.dirname, '../../../shared/suites/structured-fields');
const skip = existsSync(FOLDER) ? false : 'suite not on this machine';

interface Case {
  readonly name: string;
  readonly raw?: readonly string[];
  readonly header_type: string;
  readonly must_fail?: boolean;
  readonly can_fail?: boolean;
  /** How it is written; absent where it is as it was read. */
  readonly canonical?: readonly string[];
}

const read = (file: string): readonly Case[] => JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
const withoutSpace = (text: string) =>
  text.replace(/"(?:[^"\\]|\\.)*"|[ \t]+/g, (part) => (part.startsWith('"') ? part : ''));

/** Refused although it is the one spelling: the library has doubles for decimals and forgets that 1.0 had a fraction. */
const hasWholeDecimal = (text: string) => /[0-9]\.0(?![0-9])/.test(text);

/** Longer ones are no field of a caller's, whatever they say. */
const MAX_LENGTH = 8192;

describe('dictionaries of the working group', { skip }, () => {
  const files = skip === false ? readdirSync(FOLDER).filter((file) => file.endsWith('.json')) : [];
  for (const file of files) {
    const cases = read(file).filter((one) => one.header_type === 'dictionary' && one.raw !== undefined);
    if (cases.length === 0) continue;
    test(`${file}: ${cases.length}`, () => {
      for (const { name, raw = [], canonical = raw, must_fail, can_fail } of cases) {
        const text = raw.join(', ');
        const dictionary = readDictionary(text, sf);
        if (must_fail === true) assert.equal(dictionary, undefined, name);
        // Refused where it is not written in the one way there is, spaces apart; never read otherwise.
        const isCanonical = withoutSpace(text) === withoutSpace(canonical.join(', '));
        if (must_fail === true || can_fail === true || text.length > MAX_LENGTH) continue;
        assert.equal(dictionary !== undefined, isCanonical && !hasWholeDecimal(text), name);
        if (dictionary !== undefined)
          assert.equal(sf.serializeDictionary(dictionary), canonical.join(', '), name);
      }
    });
  }
});
