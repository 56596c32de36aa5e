/**
 * What gives secrets away: the names of the fields they stand in, and their shapes. For logs and for recordings.
 * A pattern has a fixed start and one repeated class, so that none of them backtracks over a long text.
 */

/** Names of fields in the logs of this program, and of header fields. */
export const SECRET_NAME =
  /authorization|cookie|token|secret|passw|key|credential|private|signature|session/i;

/** Secrets by their shape, to be replaced wherever they stand. */
export const SECRET_SHAPES: readonly RegExp[] = [
  /\b(?:bearer|basic) +[\w.~+/=-]{16,}/gi,
  /(?<![\w-])eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*/g,
  /\b(?:sk|pk|rk|sp[kps]|gh[opsur]|github_pat|glpat|xox[abeprs]|npm|pypi|shpat|dop_v1|hf|whsec)[-_][\w-]{12,}/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /\bAIza[\w-]{35}/g,
  /\bya29\.[\w-]{20,}/g,
  /\bSG\.[\w-]{16,}\.[\w-]{16,}/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g,
  /(?<=:\/\/)[^\s/@:]*:[^\s/@]*(?=@)/g,
  /(?<=[?&;](?:(?:access|refresh|id|logout)_token|id_token_hint|client_(?:secret|assertion)|code_verifier|api_?key|auth|code|key|password|secret|sig|signature|token)=)[^&;\s"']+/gi,
];

const ANY_SHAPE = new RegExp(SECRET_SHAPES.map(({ source }) => source).join('|'), 'i');

/** `password=…`, `"apiKey": "…"` and the like inside a text. */
const ASSIGNED =
  /(?:passwo?r?d|passphrase|pwd|secret|token|bearer|credentials?|authorization|cookie|signature|sess(?:ion)?[-_ ]?(?:id|key)|(?:api|private|access)[-_ ]?key|(?<![a-z0-9])(?:pin(?:[-_ ]?code)?|cvv2?|cvc2?|t?otp|[m2]fa|ssn|jwt|pass(?:code)?))["'\\\s]{0,4}[:=]["'\\\s]{0,4}[^\s"'\\&,;}{]/i;

/** 32 and more characters of an alphabet for keys, of which capitals, small letters and digits are there. */
const RANDOM_RUN = /(?<![\w+/=-])(?=[\w+/=-]*[a-z])(?=[\w+/=-]*[A-Z])(?=[\w+/=-]*\d)[\w+/=-]{32}/;

/** The shortest of the shapes: `://u:p@`. */
const LEAST_LENGTH = 7;

/** Whether a text holds what is shaped like a secret, or a secret by its name. */
export const holdsSecretShape = (text: string): boolean =>
  text.length >= LEAST_LENGTH && (ANY_SHAPE.test(text) || ASSIGNED.test(text));

/** The first of it alone: for what has names of its own. */
export const holdsShape = (text: string): boolean => text.length >= LEAST_LENGTH && ANY_SHAPE.test(text);

/** Whether a text holds what could be a key of nobody knows what. */
export const holdsRandomRun = (text: string): boolean => text.length >= 32 && RANDOM_RUN.test(text);
