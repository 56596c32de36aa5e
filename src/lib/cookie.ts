import { type HeaderList, sameName } from './header-list.ts';

/**
 * Cookies of a request (RFC 6265 §4.2): pairs divided by `;`, names with their case. One reading for looking a cookie
 * up and for taking it out.
 */

/** The values of a cookie in all `Cookie` fields, as they are; quotes are part of a value. */
export function cookieValues({ flat }: HeaderList, name: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    if (!sameName(flat[i], 'cookie')) continue;
    for (const pair of flat[i + 1].split(';')) if (isNamed(pair, name)) values.push(valueIn(pair));
  }
  return values;
}

/** A `Cookie` value without a cookie; '' when nothing else was in it. The others stay as they are. */
export function withoutCookie(value: string, name: string): string {
  const pairs = value.split(';');
  const kept = pairs.filter((pair) => !isNamed(pair, name));
  return kept.length === pairs.length ? value : kept.join(';').trim();
}

function isNamed(pair: string, name: string): boolean {
  const equals = pair.indexOf('=');
  return equals !== -1 && pair.slice(0, equals).trim() === name;
}

const valueIn = (pair: string): string => pair.slice(pair.indexOf('=') + 1).trim();
