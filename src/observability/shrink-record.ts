const SHORT_TEXT = 256;

type JsonObject = Record<string, unknown>;

/**
 * Makes a record fit into `maxBytes` of UTF-8: long texts are cut, then decisions that let the request on
 * are left out, then everything but plain fields. A record is never lost for its length, or a caller could
 * hide by sending a long path. Undefined only for what is not a JSON object or still does not fit.
 */
export function shrinkRecord(line: string, maxBytes: number): string | undefined {
  const record = parseObject(line);
  if (record === undefined) return undefined;
  for (const shrink of [cutTexts, keepRefusals, keepPlain]) {
    const text = JSON.stringify({ ...shrink(record), truncated: true });
    if (Buffer.byteLength(text) <= maxBytes) return text;
  }
  return undefined;
}

function parseObject(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const cutTexts = (record: JsonObject): JsonObject => mapFields(record, cut);

function keepRefusals(record: JsonObject): JsonObject {
  const { decisions } = record;
  if (!Array.isArray(decisions)) return cutTexts(record);
  return cutTexts({ ...record, decisions: decisions.filter(isRefusal) });
}

const isRefusal = (entry: unknown): boolean =>
  isObject(entry) && (entry.outcome === 'reject' || entry.outcome === 'error');

const keepPlain = (record: JsonObject): JsonObject =>
  mapFields(record, (value) => (typeof value === 'object' ? undefined : cut(value)));

const mapFields = (record: JsonObject, change: (value: unknown) => unknown): JsonObject =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));

function cut(value: unknown): unknown {
  if (typeof value === 'string') return value.length > SHORT_TEXT ? `${value.slice(0, SHORT_TEXT)}…` : value;
  if (Array.isArray(value)) return value.map(cut);
  return isObject(value) ? mapFields(value, cut) : value;
}
