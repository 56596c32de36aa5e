import type { AccessRecord, DecisionEntry } from '../contract/index.ts';

/** Text that JSON needs no escape for: most of what a record holds. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

const optional = (key: string, text: string | undefined): string =>
  text === undefined ? '' : `,"${key}":${quoted(text)}`;

/**
 * One record as a line of JSON. Written by hand: it is made for every request, and the entries that are the same
 * for every request bring their JSON along.
 */
export function recordLine(r: AccessRecord): string {
  const upstreamMs = r.upstreamMs === undefined ? '' : `,"upstreamMs":${milliseconds(r.upstreamMs)}`;
  return (
    `{"time":"${r.time}","requestId":${quoted(r.requestId)},"traceId":"${r.traceId}","revision":"${r.revision}"` +
    `,"listener":${quoted(r.listener)},"route":${quoted(r.route)},"client":"${r.client}"` +
    optional('consumer', r.consumer) +
    optional('credential', r.credential) +
    `,"method":${quoted(r.method)},"host":${quoted(r.host)},"path":${quoted(r.path)},"status":${r.status}` +
    optional('error', r.error) +
    `,"requestBytes":${r.requestBytes},"responseBytes":${r.responseBytes}` +
    `,"durationMs":${milliseconds(r.durationMs)}` +
    optional('upstream', r.upstream) +
    optional('target', r.target) +
    `${upstreamMs},"decisions":[${decisions(r.decisions)}]}`
  );
}

/** Microseconds are kept, the noise below them is not. */
function milliseconds(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function decisions(entries: readonly DecisionEntry[]): string {
  let text = '';
  for (const entry of entries) text += (text === '' ? '' : ',') + (entry.json ?? JSON.stringify(entry));
  return text;
}
