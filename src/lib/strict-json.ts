/** Why a text is refused; a bounded set. */
export type JsonFault = 'syntax' | 'depth' | 'duplicate-key' | 'proto-key' | 'number';

export type StrictJson = { readonly value: unknown } | { readonly fault: JsonFault };

/**
 * Parses JSON (RFC 8259) and refuses what two parsers read differently, so that what was judged is what the
 * next reader sees: a key twice in one object, the key `__proto__`, numbers beyond a double's range, and
 * nesting over `maxDepth` (an array or object inside nothing has depth 1), found before anything is parsed.
 */
export function parseStrictJson(text: string, maxDepth: number): StrictJson {
  const keys = scan(text, maxDepth);
  if (keys === TOO_DEEP) return DEPTH;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return SYNTAX;
  }
  const found = countKeys(value);
  if (typeof found === 'string') return { fault: found };
  return found === keys ? { value } : DUPLICATE;
}

const TOO_DEEP = -1;
const DEPTH: StrictJson = Object.freeze({ fault: 'depth' });
const SYNTAX: StrictJson = Object.freeze({ fault: 'syntax' });
const DUPLICATE: StrictJson = Object.freeze({ fault: 'duplicate-key' });

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
/** `[` and `{`, `]` and `}` are the same but for this bit. */
const BRACE_BIT = 0x20;
const OPEN = 0x5b | BRACE_BIT;
const CLOSE = 0x5d | BRACE_BIT;

/** How many keys are written in the text, or TOO_DEEP. The text need not be JSON yet. */
function scan(text: string, maxDepth: number): number {
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      i = endOfString(text, i);
      continue;
    }
    if (code === COLON) keys++;
    else if ((code | BRACE_BIT) === OPEN && ++depth > maxDepth) return TOO_DEEP;
    else if ((code | BRACE_BIT) === CLOSE) depth--;
  }
  return keys;
}

/** Place of the quote that ends the string begun at `start`, or the text's end. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

/**
 * How many keys the parsed value has: fewer than were written means that one was written twice. Recursion is
 * bounded, since the depth was.
 */
function countKeys(value: unknown): number | 'proto-key' | 'number' {
  if (typeof value === 'number') return Number.isFinite(value) ? 0 : 'number';
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return sumKeys(value, 0);
  if (Object.hasOwn(value, '__proto__')) return 'proto-key';
  const members = Object.values(value);
  return sumKeys(members, members.length);
}

function sumKeys(members: readonly unknown[], own: number): number | 'proto-key' | 'number' {
  let sum = own;
  for (const member of members) {
    if (typeof member === 'string') continue;
    const found = countKeys(member);
    if (typeof found === 'string') return found;
    sum += found;
  }
  return sum;
}
