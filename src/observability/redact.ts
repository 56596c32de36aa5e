import { SECRET_NAME, SECRET_SHAPES } from '../lib/secret-shapes.ts';

/** What stands in place of a secret. */
export const REDACTED = '[redacted]';

/** Field names that match {@link SECRET_NAME} and yet are needed to read a log; their values are checked by shape. */
const PUBLIC_NAMES: ReadonlySet<string> = new Set(['keyId', 'credentialId', 'tokenPath', 'keyPath']);

const MAX_TEXT = 4096;
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;

/** A text without the secrets that can be told by their shape, cut at 4,096 characters. */
export function redactText(text: string): string {
  let out = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  for (const shape of SECRET_SHAPES) out = out.replace(shape, REDACTED);
  return out;
}

/**
 * A copy fit for a log: fields named like secrets and texts shaped like them are replaced, errors become name,
 * code and message, depth and length are bounded. Never throws, whatever it is given.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? '[function]' : value;
  if (depth >= MAX_DEPTH) return '[deep]';
  try {
    return redactObject(value, depth + 1);
  } catch {
    return '[unreadable]';
  }
}

function redactObject(value: object, depth: number): unknown {
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => redact(item, depth));
  const entries = Object.entries(value).slice(0, MAX_ITEMS);
  return Object.fromEntries(entries.map(([name, field]) => [name, redactField(name, field, depth)]));
}

function redactField(name: string, field: unknown, depth: number): unknown {
  const hidden = SECRET_NAME.test(name) && !PUBLIC_NAMES.has(name);
  return hidden && field !== undefined && field !== null ? REDACTED : redact(field, depth);
}

function redactError(error: Error, depth: number): unknown {
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: redact(error.cause, depth) };
  return { name: error.name, ...code, message: redactText(error.message), ...cause };
}
