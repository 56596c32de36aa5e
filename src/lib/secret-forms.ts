/**
 * Forms that makers of keys have given them, so that they can be named where they do not belong. Told as faults, so
 * they are narrow; `secret-shapes` has wider ones, for what is to be hidden.
 */
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
  [/^\s*(?:Bearer|Token)\s+(?=.*\d)[\w.~+/=-]{8,}\s*$/i, 'a bearer token'],
  [
    /^\s*[Bb]asic\s+(?=.*[A-Z0-9=])(?:[A-Za-z0-9+/]{4}){2,}(?:[A-Za-z0-9+/]{2,3}={1,2})?\s*$/,
    'a user name with its password',
  ],
  [/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@:]*:[^\s/?#@]+@/i, 'a URL with a password'],
  [/\$(?:argon2(?:id|i|d)|2[aby]|scrypt|[156])\$[^\s]{20,}/, 'the hash of a password'],
];

/** Longer texts are looked at so far: what a document can cost is bounded. */
const MAX_LOOKED_AT = 4000;

/** What a text is that has the form of a secret, in words; undefined for any other. */
export function secretFormOf(text: string): string | undefined {
  const looked = text.slice(0, MAX_LOOKED_AT);
  return FORMS.find(([form]) => form.test(looked))?.[1];
}

const SECRET_FIELD =
  /^(?:proxy-)?authorization$|^cookie$|(?:^|[-_.])(?:api[-_]?key|apikey|secret|password|passwd|token|credential|private[-_]?key|access[-_]?key)s?$/i;

/** Whether a header field of that name commonly carries a credential. */
export const isSecretField = (name: string): boolean => SECRET_FIELD.test(name);

const REFERENCE = /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/;

/** Whether a text only names where a secret is kept. */
export const isSecretReference = (text: string): boolean => REFERENCE.test(text);

const COMPARED =
  /headers(?:\[\s*["']|\.)(?:authorization|cookie|[\w-]*(?:key|token|secret|password)[\w-]*)(?:["']\s*\])?\s*[=!]=\s*["'][^"']{8,}["']/i;
/** No condition is longer. */
const MAX_CONDITION = 2000;

/** Whether a condition holds a credential: `request.headers["x-api-key"] == "…"`. */
export const comparesSecret = (condition: string): boolean =>
  COMPARED.test(condition.slice(0, MAX_CONDITION));
