import { comparesSecret, isSecretField, isSecretReference, secretFormOf } from '../../lib/secret-forms.ts';
import { holdsShape } from '../../lib/secret-shapes.ts';
import type { DocumentPath } from '../document-path.ts';
import { isObject } from '../json-shape.ts';

/** Stands for a value that is not shown. */
export const HIDDEN = '(hidden)';

/** Options that hold a secret, or what one is recognised by. */
const SECRET_OPTION =
  /(?:secret|password|passwd|passphrase|passwordhash|token|credential|api[-_]?key|private[-_]?key)s?$/i;
/** Of a credential only this is for everybody's eyes, beside references. */
const PUBLIC_OF_CREDENTIAL: ReadonlySet<string> = new Set([
  'id',
  'username',
  'keyId',
  'encoding',
  'notBefore',
  'expires',
]);

/**
 * A value of a document as it may be shown: references stay (they name where a secret is kept), secrets and what
 * credentials are recognised by do not, nor do queries of URLs. `path` is where it stands in the document.
 */
export function shownValue(value: unknown, path: DocumentPath): unknown {
  if (typeof value === 'string') return shownText(value, path);
  if (Array.isArray(value)) return value.map((item, i) => shownValue(item, [...path, i]));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, shownValue(member, [...path, key])]),
  );
}

function shownText(text: string, path: DocumentPath): string {
  if (isHidden(text, path)) return HIDDEN;
  const shown = withoutQuery(text);
  return isSecretReference(text) || !holdsShape(shown) ? shown : HIDDEN;
}

function isHidden(text: string, path: DocumentPath): boolean {
  if (isSecretReference(text)) return false;
  if (secretFormOf(text) !== undefined || comparesSecret(text)) return true;
  const names = path.filter((step) => typeof step === 'string');
  const [name = '', above] = [names.at(-1), names.at(-2)];
  if (names.includes('credentials')) return !PUBLIC_OF_CREDENTIAL.has(name);
  if (above === 'headers' || above === 'set') return isSecretField(name) && !text.includes('$'.concat('{'));
  return SECRET_OPTION.test(name);
}

/** Keys of feeds stand there; of a path only what is named so is left out. */
const withoutQuery = (text: string): string =>
  text.replace(URL_QUERY, '$1?…').replace(SECRET_PARAMETER, '$1…');

const URL_QUERY = /^([a-z][a-z0-9+.-]{0,30}:\/\/[^?#\s]*)\?.*$/i;
const SECRET_PARAMETER = /([?&][\w.-]{0,60}(?:key|token|secret|password|sig)[\w.-]{0,60}=)[^&\s]+/gi;
