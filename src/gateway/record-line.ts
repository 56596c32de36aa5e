import type { AccessRecord, DecisionEntry } from '../contract/index.ts';

/** Text that JSON needs no escape for: most of what a record holds. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

const optional = (key: string, text: string | undefined): string =>
  text === undefined ? '' : `,"${key}":${quoted(text)}`;

/** What is told of one request alone. */
export type RecordFacts = Omit<AccessRecord, keyof PlaceNames | 'upstream' | 'target' | 'decisions'>;

/** Parts of a line that are the same for many records, made once: by `placeText`, `targetText`, `decisionsText`. */
export interface RecordTexts {
  readonly place: string;
  readonly target: string;
  readonly decisions: string;
}

/** Where requests were judged. */
export function placeText({ revision, listener, route }: PlaceNames): string {
  return `,"revision":"${revision}","listener":${quoted(listener)},"route":${quoted(route)}`;
}

type PlaceNames = Pick<AccessRecord, 'revision' | 'listener' | 'route'>;

/** Where requests were sent. */
export function targetText(upstream: string, target: string): string {
  return `${optional('upstream', upstream)}${optional('target', target)}`;
}

/** What was decided. */
export function decisionsText(entries: readonly DecisionEntry[]): string {
  return `,"decisions":${JSON.stringify(entries)}`;
}

/**
 * One record as a line of JSON. Written by hand: it is made for every request. What cannot hold a quote is not
 * looked through again: ids, methods and addresses were read by their own grammars.
 */
export function recordLine(r: RecordFacts, texts: RecordTexts): string {
  const upstreamMs = r.upstreamMs === undefined ? '' : `,"upstreamMs":${milliseconds(r.upstreamMs)}`;
  return (
    `{"time":"${r.time}","requestId":"${r.requestId}","traceId":"${r.traceId}"${texts.place},"client":"${r.client}"` +
    optional('consumer', r.consumer) +
    optional('credential', r.credential) +
    `,"method":"${r.method}","host":${quoted(r.host)},"path":${quoted(r.path)},"status":${r.status}` +
    optional('error', r.error) +
    `,"requestBytes":${r.requestBytes},"responseBytes":${r.responseBytes}` +
    `,"durationMs":${milliseconds(r.durationMs)}${texts.target}${upstreamMs}${texts.decisions}}`
  );
}

/** `.001`, `.01` and so on for each number of microseconds below a millisecond; '' for none. */
const FRACTIONS: readonly string[] = Array.from({ length: 1000 }, (_, us) => String(us / 1000).slice(1));

/** Microseconds are kept, the noise below them is not. From whole numbers, whose texts V8 keeps. */
function milliseconds(value: number): string {
  const us = Math.round(value * 1000);
  return `${Math.floor(us / 1000)}${FRACTIONS[us % 1000]}`;
}
