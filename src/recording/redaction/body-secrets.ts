import { holdsSecretShape, holdsShape, SECRET_NAME } from '../../lib/secret-shapes.ts';
import { decoded, decodedWhole } from './decoded.ts';
import { isSecretMember, isSecretNumber, isSecretParameter, isSecretText } from './secret-names.ts';

/** How the body of a request says what it is. */
export interface BodyForm {
  /** Every value of `Content-Type`. */
  readonly types: readonly string[];
  /** Whether it is compressed, or encoded otherwise. */
  readonly isEncoded: boolean;
}

const JSON_TYPE = /^[\w.+-]+\/(?:[\w.+-]+\+)?json(?:\s*;|$)/i;
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:\s*;|$)/i;

/** Whether a body holds a secret, or nobody can tell. */
export function bodyHoldsSecret(bytes: Uint8Array, { types, isEncoded }: BodyForm): boolean {
  if (bytes.length === 0) return false;
  if (isEncoded) return true;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  if (holdsShape(text)) return true;
  if (types.length !== 1) return otherHoldsSecret(text);
  const type = types[0].trim();
  if (JSON_TYPE.test(type)) return jsonHoldsSecret(text);
  return FORM_TYPE.test(type) ? formHoldsSecret(text) : otherHoldsSecret(text);
}

/** A text of JSON, and what follows it where that could make it a member's name with a value. */
const JSON_TEXT = /"((?:[^"\\]|\\.)*)"(?:\s*:\s*(?:(?=(["{[\d-]))|))?/g;

/**
 * Looks at every name and every text as they stand: of a name that is there twice, a parser shows the last value only.
 * What is not JSON cannot be looked through.
 */
export function jsonHoldsSecret(text: string): boolean {
  try {
    JSON.parse(text);
  } catch {
    return true;
  }
  for (const match of text.matchAll(JSON_TEXT)) {
    const [, written, value] = match;
    const plain = written.includes('\\') ? unquoted(written) : written;
    if (holdsSecretShape(plain)) return true;
    if (plain.includes('%') && holdsEncoded(plain)) return true;
    if (value !== undefined && isSecretMember(plain) && isSecretValue(plain, value, text, match)) return true;
  }
  return false;
}

/** `value`: the first character of it. */
function isSecretValue(name: string, value: string, text: string, match: RegExpExecArray): boolean {
  if (value === '"') return isSecretText(name) && text[match.index + match[0].length + 1] !== '"';
  if (value === '{' || value === '[') return true;
  return isSecretNumber(name);
}

function unquoted(written: string): string {
  const plain: unknown = JSON.parse(`"${written}"`);
  return typeof plain === 'string' ? plain : written;
}

function holdsEncoded(text: string): boolean {
  const whole = decodedWhole(text);
  return whole === undefined || holdsSecretShape(whole);
}

function formHoldsSecret(text: string): boolean {
  return text.split(/[&;]/).some((pair) => {
    const equals = pair.indexOf('=');
    const value = equals === -1 ? pair : pair.slice(equals + 1);
    if (value === '') return false;
    const name = equals === -1 ? '' : decoded(pair.slice(0, equals));
    return isSecretParameter(name) || holdsEncoded(`?${decoded(pair)}`);
  });
}

/** Ways to write a name so that it is not found: what uses them cannot be looked through. */
const DISGUISED = /\\u00|\\x|%[0-7][0-9a-f]|&#|\0/i;

/** Of no form that is known here: any word for a secret in it will do. */
const otherHoldsSecret = (text: string): boolean => DISGUISED.test(text) || SECRET_NAME.test(text);
