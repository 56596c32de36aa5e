import { isObject } from './json-shape.ts';

const STRING = /"(?:[^"\\]|\\.)*"([ \t\r\n]*:)?/g;

/**
 * Parses text that is plain JSON without repeated keys: the fast way (a hundred times faster than YAML) for
 * documents that programs publish. Undefined for everything else, which the YAML parser then judges and places.
 */
export function tryStrictJson(text: string): { readonly value: unknown } | undefined {
  if (!/^[ \t\r\n]*\{/.test(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  // JSON.parse keeps the last of two equal keys; a key that is lost shows in the count.
  return keysWritten(text) === keysHeld(value) ? { value } : undefined;
}

/** Text that JSON.parse took: a string before a colon is a key, and nothing else is. */
function keysWritten(text: string): number {
  let keys = 0;
  for (const match of text.matchAll(STRING)) if (match[1] !== undefined) keys++;
  return keys;
}

/** Iterative, since depth was not checked yet. */
function keysHeld(value: unknown): number {
  let keys = 0;
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const current = pending.pop();
    if (Array.isArray(current)) for (const item of current) pending.push(item);
    if (!isObject(current)) continue;
    for (const key of Object.keys(current)) {
      keys++;
      pending.push(current[key]);
    }
  }
  return keys;
}
