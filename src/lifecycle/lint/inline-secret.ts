import { type DocumentPath, isObject } from '../../config/index.ts';
import { comparesSecret, isSecretField, secretFormOf } from '../../lib/secret-forms.ts';
import type { Found, LintRule } from './finding.ts';

/**
 * Documents are stored, compared, shown and kept in Git. The schema takes references alone where it knows that a
 * secret stands; this looks where anything may stand, above all at header values. No value is ever told.
 */
export const inlineSecret: LintRule = {
  id: 'inline-secret',
  severity: 'error',
  summary: 'A key, token or password written in the document',
  *check({ document }) {
    for (const [key, value] of Object.entries(document)) {
      // A made-up credential is what a test is made of: there only what is known by its form counts.
      yield* walk(value, [key], { byName: key !== 'tests', name: '' });
    }
  },
};

interface Place {
  /** Whether the name a value stands under says what it is. */
  readonly byName: boolean;
  /** The nearest key above the value. */
  readonly name: string;
}

function* walk(value: unknown, path: DocumentPath, place: Place): Generator<Found | undefined> {
  if (typeof value === 'string') {
    const what = kindOf(value, path, place);
    if (what !== undefined) yield { path, message: `holds ${what}`, fix: fixFor(path) };
    return;
  }
  if (Array.isArray(value)) {
    yield undefined;
    for (const [i, item] of value.entries()) yield* walk(item, [...path, i], place);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, member] of Object.entries(value))
    yield* walk(member, [...path, key], { ...place, name: key });
}

const REFERENCE = /^(?:env|file|list|text|claim):/;
/** Shorter ones are no secrets, and words such as `optional` or `required` are none at all. */
const MIN_SECRET = 8;
/** Upper and lower case, digits or signs together, as keys have them and words do not. */
const LOOKS_MADE = /^(?=.*[0-9])(?=.*[A-Za-z])[\x21-\x7e]+$/;
function kindOf(written: string, path: DocumentPath, { byName, name }: Place): string | undefined {
  const known = secretFormOf(written);
  if (known !== undefined || !byName) return known;
  if (comparesSecret(written)) return 'a credential that a header is compared with';
  if (!isHeaderValue(path) || !isSecretField(name) || written.length < MIN_SECRET) return undefined;
  if (REFERENCE.test(written) || written.includes('${') || !LOOKS_MADE.test(written)) return undefined;
  return `what looks like a credential, as the value of the header ${name}`;
}

/** Where names are those of header fields and their values are anybody's to choose. */
function isHeaderValue(path: DocumentPath): boolean {
  const above = path.at(-2);
  return above === 'headers' || above === 'set';
}

function fixFor(path: DocumentPath): string {
  const names = path.map(String);
  if (names.includes('set')) return 'use upstream-auth, which takes it as env:NAME or file:PATH';
  if (names.includes('match')) return 'let a policy that authenticates compare it, such as api-key';
  if (names.includes('when')) return 'let a policy that authenticates compare it, such as api-key';
  return 'write a reference, env:NAME or file:PATH, and change the secret: it has been seen';
}
