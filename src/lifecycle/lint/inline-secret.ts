import { type DocumentPath, isObject } from '../../config/index.ts';
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

/** Forms that makers of keys have given them, so that they can be found where they do not belong. */
const FORMS: readonly (readonly [form: RegExp, what: string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'],
  [/(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10}/, 'a signed token (JWT)'],
  [/(?<![\w-])(?:AKIA|ASIA)[0-9A-Z]{16}\b/, 'an access key of AWS'],
  [/(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{30}|github_pat_\w{30})/, 'a token of GitHub'],
  [/(?<![\w-])glpat-[\w-]{20}/, 'a token of GitLab'],
  [/(?<![\w-])xox[abeoprs]-[\w-]{10}/, 'a token of Slack'],
  [/(?<![\w-])AIza[\w-]{35}/, 'an API key of Google'],
  [/(?<![\w-])sk-[\w-]{20}/, 'an API key of a model provider'],
  [/(?<![\w-])[rs]k_(?:live|test)_[A-Za-z0-9]{16}/, 'an API key of Stripe'],
  [/(?<![\w-])npm_[A-Za-z0-9]{30}/, 'a token of npm'],
  [/^\s*(?:Bearer|Token)\s+[\w.~+/=-]{8,}\s*$/i, 'a bearer token'],
  [/^\s*Basic\s+[A-Za-z0-9+/]{8,}={0,2}\s*$/i, 'a user name with its password'],
  [/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@:]*:[^\s/?#@]+@/i, 'a URL with a password'],
  [/\$(?:argon2(?:id|i|d)|2[aby]|scrypt|[156])\$[^\s]{20,}/, 'the hash of a password'],
];

const SECRET_NAME =
  /^(?:proxy-)?authorization$|^cookie$|(?:^|[-_.])(?:api[-_]?key|apikey|secret|password|passwd|token|credential|private[-_]?key|access[-_]?key)s?$/i;
const REFERENCE = /^(?:env|file|list|text|claim):/;
/** Shorter ones are no secrets, and words such as `optional` or `required` are none at all. */
const MIN_SECRET = 8;
/** Upper and lower case, digits or signs together, as keys have them and words do not. */
const LOOKS_MADE = /^(?=.*[0-9])(?=.*[A-Za-z])[\x21-\x7e]+$/;
/** `request.headers["x-api-key"] == "…"`: a condition is no place to keep a key either. */
const COMPARED =
  /headers(?:\[\s*["']|\.)(?:authorization|[\w-]*(?:key|token|secret|password)[\w-]*)(?:["']\s*\])?\s*[=!]=\s*["'][^"']{8,}["']/i;

/** Longer texts are looked at so far: what a document can cost is bounded. */
const MAX_LOOKED_AT = 4000;

function kindOf(written: string, path: DocumentPath, { byName, name }: Place): string | undefined {
  const value = written.slice(0, MAX_LOOKED_AT);
  const known = FORMS.find(([form]) => form.test(value));
  if (known !== undefined) return known[1];
  if (!byName) return undefined;
  if (COMPARED.test(value)) return 'a credential that a header is compared with';
  if (!isHeaderValue(path) || !SECRET_NAME.test(name) || value.length < MIN_SECRET) return undefined;
  if (REFERENCE.test(value) || value.includes('${') || !LOOKS_MADE.test(value)) return undefined;
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
