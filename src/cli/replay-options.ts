import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../lib/duration.ts';
import { parseIpAddress } from '../lib/ip-address.ts';
import type { OutputFormat } from './check.ts';

/** What `sallyport replay` is asked for. */
export interface ReplayOptions {
  /** Data folder of the gateway. */
  readonly data: string;
  readonly masterKey: readonly string[];
  /** How far back, in milliseconds. */
  readonly records: number;
  /** Milliseconds since the epoch. */
  readonly from?: number;
  readonly to?: number;
  readonly har?: string;
  readonly log?: string;
  /** Of requests of an import. */
  readonly listener?: string;
  readonly host?: string | undefined;
  readonly client?: string;
  /** A document, `active`, or `recorded`; undefined: active where there is one. */
  readonly against?: string;
  readonly route?: string;
  readonly consumer?: string;
  readonly example?: string;
  readonly maxFlips: MaxFlips;
  readonly format: OutputFormat;
  readonly json?: boolean;
}

/** How many requests may be decided otherwise: a number of them, or a share of those that were compared. */
export type MaxFlips = { readonly count: number } | { readonly share: number };

/** `3` or `0.1%`. */
export function parseMaxFlips(text: string): MaxFlips {
  const share = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text);
  if (share !== null && Number(share[1]) <= 100) return { share: Number(share[1]) / 100 };
  if (/^\d{1,9}$/.test(text)) return { count: Number(text) };
  throw new InvalidArgumentError(`"${text}" is neither a number nor a share, such as 0.1%.`);
}

/** `24h`, in milliseconds. */
export function parseAgo(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError(`"${text}" is no duration, such as 24h.`);
  return ms;
}

const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** A time as RFC 3339 has it, a day (its beginning, UTC), or so long ago; in milliseconds since the epoch. */
export function parsePast(text: string): number {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return Date.now() - agoMs;
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError(`"${text}" is neither a time nor a duration.`);
  return ms;
}

/** An IP address. */
export function parseClient(text: string): string {
  const address = parseIpAddress(text);
  if (address === undefined) throw new InvalidArgumentError(`"${text}" is no IP address.`);
  return address.text;
}
