import { EXPIRY_MESSAGE, EXPIRY_PATTERN, parseExpiry } from './expiry.ts';
import { type Static, Type } from './schema.ts';

const PRINTABLE = '^[^\\u0000-\\u001f\\u007f-\\u009f]*$';

const words = (description: string) =>
  Type.Optional(
    Type.String({
      description,
      maxLength: 200,
      pattern: PRINTABLE,
      patternErrorMessage: 'must be a text without control characters',
    }),
  );

/** An entry of a hand-kept list: what is listed, alone or with who answers for it, why, and until when. */
export const networkEntrySchema = (description: string) =>
  Type.Union([
    Type.String({ description, minLength: 1, maxLength: 64 }),
    Type.Object(
      {
        network: Type.String({ description, minLength: 1, maxLength: 64 }),
        owner: words('Who answers for the entry.'),
        reason: words('Why it is listed; stands in records.'),
        expires: Type.Optional(
          Type.String({
            description: 'Last day (UTC), or exact time, on which it counts.',
            pattern: EXPIRY_PATTERN,
            patternErrorMessage: EXPIRY_MESSAGE,
          }),
        ),
      },
      { additionalProperties: false },
    ),
  ]);

export type WrittenEntry = Static<ReturnType<typeof networkEntrySchema>>;

/** An entry as rules use it. */
export interface NetworkEntry {
  /** What is listed, as written. */
  readonly text: string;
  /** Milliseconds since the epoch from which on it counts no more; Infinity for never. */
  readonly untilMs: number;
  /** For records: the reason and the owner; '' where neither is known. */
  readonly why: string;
}

/** Undefined where `expires` is no day of the calendar. */
export function readNetworkEntry(written: WrittenEntry): NetworkEntry | undefined {
  if (typeof written === 'string') return { text: written, untilMs: Number.POSITIVE_INFINITY, why: '' };
  const { network: text, owner, reason, expires } = written;
  const untilMs = expires === undefined ? Number.POSITIVE_INFINITY : parseExpiry(expires);
  if (untilMs === undefined) return undefined;
  const why = [reason, owner === undefined ? undefined : `owner ${owner}`].filter(
    (part) => part !== undefined,
  );
  return { text, untilMs, why: why.join(', ') };
}
