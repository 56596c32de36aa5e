import type { Consumer } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';

/** What the public id of every live credential looks like: 64 random bits. */
const CREDENTIAL_ID = /^cr-([0-9a-f]{8})([0-9a-f]{8})$/;

/** The id of 64 bits. */
export const credentialId = (high: number, low: number): string => `cr-${hexOf(high)}${hexOf(low)}`;

const hexOf = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');

/** The 64 bits of an id. Throws InternalError for any other text. */
export function idWords(id: string): readonly [high: number, low: number] {
  const match = CREDENTIAL_ID.exec(id);
  if (match === null) throw new InternalError(`"${id}" is no id of a live credential`);
  return [Number.parseInt(match[1], 16) | 0, Number.parseInt(match[2], 16) | 0];
}

/** The name, the id in another system, the groups. Throws InternalError for a line end in one: it would add a group. */
export function textOfConsumer({ name, id = '', groups }: Consumer): string {
  const parts = [name, id, ...groups];
  if (parts.some((part) => part.includes('\n')))
    throw new InternalError('a line end in the name of a consumer');
  return parts.join('\n');
}

export function consumerOfText(text: string): Consumer {
  const [name, id, ...groups] = text.split('\n');
  return Object.freeze({ name, ...(id === '' ? {} : { id }), groups: Object.freeze(groups) });
}
