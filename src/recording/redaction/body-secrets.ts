import { holdsShape, SECRET_NAME } from '../../lib/secret-shapes.ts';
import { decoded } from './decoded.ts';
import { isSecretMember, isSecretParameter } from './secret-names.ts';
import { holdsEncodedJson, holdsSecretValue, jsonHoldsSecret } from './value-secrets.ts';

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
  if (holdsEncodedJson(text)) return true;
  if (types.length !== 1) return otherHoldsSecret(text);
  const type = types[0].trim();
  const charset = CHARSET.exec(type);
  if (charset !== null && !PLAIN_CHARSET.test(charset[1])) return true;
  if (JSON_TYPE.test(type)) return jsonHoldsSecret(text);
  return FORM_TYPE.test(type) ? formHoldsSecret(text) : otherHoldsSecret(text);
}

/** Bytes of any other say something else than they look like. */
const CHARSET = /;\s*charset\s*=\s*["']?([^\s;"']*)/i;
const PLAIN_CHARSET = /^(?:utf-?8|us-ascii|ascii|iso-8859-1|latin1|windows-1252)$/i;

function formHoldsSecret(text: string): boolean {
  return text.split(/[&;]/).some((pair) => {
    const equals = pair.indexOf('=');
    const value = equals === -1 ? pair : pair.slice(equals + 1);
    if (value === '') return false;
    const name = equals === -1 ? '' : decoded(pair.slice(0, equals));
    return isSecretParameter(name) || holdsSecretValue(decoded(value));
  });
}

/**
 * Ways to write a name so that it is not found, and forms that have no names at all (Protocol Buffers): what uses them
 * cannot be looked through.
 */
const DISGUISED =
  /\\u00|\\x|%[0-7][0-9a-f]|&#|[\0-\x08\x0e-\x1f]|encoding=["'](?!utf-?8|us-ascii|iso-8859|windows-125)/i;

/** Of no form that is known here: any word for a secret in it will do. */
const otherHoldsSecret = (text: string): boolean =>
  DISGUISED.test(text) || SECRET_NAME.test(text) || isSecretMember(text) || holdsSecretValue(text);
