import type { Consumer } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';

/** What the public id of every live credential begins with; 64 random bits in hexadecimal follow. */
const PREFIX = 'cr-';
const ID_LENGTH = PREFIX.length + 16;

/** The id of 64 bits. */
export const credentialId = (high: number, low: number): string => `${PREFIX}${hexOf(high)}${hexOf(low)}`;

const hexOf = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');

/** The 64 bits of an id. Throws InternalError for any other text. */
export function idWords(id: string): readonly [high: number, low: number] {
  if (id.length !== ID_LENGTH || !id.startsWith(PREFIX)) throw noId(id);
  return [hexWord(id, PREFIX.length), hexWord(id, PREFIX.length + 8)];
}

function hexWord(id: string, from: number): number {
  let word = 0;
  for (let i = from; i < from + 8; i++) {
    const digit = '0123456789abcdef'.indexOf(id[i]);
    if (digit === -1) throw noId(id);
    word = (word << 4) | digit;
  }
  return word;
}

const noId = (id: string): InternalError => new InternalError(`"${id}" is no id of a live credential`);

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
