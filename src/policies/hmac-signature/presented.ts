import type { InnerList, Item, Parameters } from 'structured-headers';
import type { HeaderList } from '../../lib/header-list.ts';
import { readDictionary, type StructuredFields } from './structured-fields.ts';

/** One component that a signature covers. */
export interface Component {
  /** Lower case; of derived ones with `@`. */
  readonly name: string;
  /** As it stands in the signature base, parameters included. */
  readonly identifier: string;
  readonly parameters: Parameters;
}

/** A signature as it was presented (RFC 9421 §4), not verified. */
export interface PresentedSignature {
  readonly components: readonly Component[];
  /** The `@signature-params` (RFC 9421 §2.3). */
  readonly parameters: string;
  readonly signature: Uint8Array;
  readonly keyId: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly expires: number | undefined;
  readonly nonce: string | undefined;
  /** What the message says of the algorithm; never what is believed. */
  readonly algorithm: string | undefined;
}

/** Which of several signatures is looked at. */
export interface Selection {
  readonly label: string | undefined;
  readonly tag: string | undefined;
}

const MAX_SIGNATURES = 8;
const MAX_COMPONENTS = 64;

/** The signature of a request; undefined where there is none for us, a text why what is there is none. */
export function readSignature(
  headers: HeaderList,
  selection: Selection,
  sf: StructuredFields,
): PresentedSignature | string | undefined {
  const inputs = headers.getAll('signature-input');
  const signatures = headers.getAll('signature');
  if (inputs.length === 0 && signatures.length === 0) return undefined;
  const described = readDictionary(inputs.join(', '), sf);
  if (described === undefined) return 'Signature-Input is no dictionary in its one spelling';
  const values = readDictionary(signatures.join(', '), sf);
  if (values === undefined) return 'Signature is no dictionary in its one spelling';
  if (Math.max(described.size, values.size) > MAX_SIGNATURES) return 'there are too many signatures';
  const candidates = [...described].filter(([label, member]) => isSelected(label, member, selection));
  if (candidates.length > 1) return 'there is more than one signature';
  if (candidates.length === 0)
    return selection.label === undefined && selection.tag === undefined ? NONE : undefined;
  const [[label, member]] = candidates;
  const value = values.get(label)?.[0];
  if (!(value instanceof ArrayBuffer)) return 'the signature has no value';
  return describe(member, new Uint8Array(value), sf);
}

const NONE = 'no signature is described';

function isSelected(label: string, [, parameters]: Item | InnerList, selection: Selection): boolean {
  if (selection.label !== undefined && selection.label !== label) return false;
  return selection.tag === undefined || parameters.get('tag') === selection.tag;
}

function describe(
  member: Item | InnerList,
  signature: Uint8Array,
  sf: StructuredFields,
): PresentedSignature | string {
  const [list, parameters] = member;
  if (!Array.isArray(list)) return 'the signature covers no list';
  if (list.length > MAX_COMPONENTS) return 'the signature covers too much';
  const components: Component[] = [];
  for (const item of list) {
    const [name] = item;
    if (typeof name !== 'string') return 'the name of a component is no string';
    components.push({ name, identifier: sf.serializeItem(item), parameters: item[1] });
  }
  if (new Set(components.map((one) => one.identifier)).size < components.length) {
    return 'a component is covered twice';
  }
  const created = timeIn(parameters, 'created');
  const expires = timeIn(parameters, 'expires');
  const [keyId, nonce, algorithm, tag] = ['keyid', 'nonce', 'alg', 'tag'].map((key) =>
    textIn(parameters, key),
  );
  if ([created, expires, keyId, nonce, algorithm, tag].includes(MALFORMED)) {
    return 'a parameter of the signature is of the wrong type';
  }
  if (typeof created !== 'number') return 'the signature has no created';
  if (typeof keyId !== 'string') return 'the signature has no keyid';
  return {
    components,
    parameters: sf.serializeInnerList([list, parameters]),
    signature,
    keyId,
    created,
    expires: typeof expires === 'number' ? expires : undefined,
    nonce: typeof nonce === 'string' ? nonce : undefined,
    algorithm: typeof algorithm === 'string' ? algorithm : undefined,
  };
}

const MALFORMED: unique symbol = Symbol('malformed');

function timeIn(parameters: Parameters, key: string): number | undefined | typeof MALFORMED {
  const value = parameters.get(key);
  if (value === undefined) return undefined;
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : MALFORMED;
}

function textIn(parameters: Parameters, key: string): string | undefined | typeof MALFORMED {
  const value = parameters.get(key);
  return value === undefined || typeof value === 'string' ? value : MALFORMED;
}
