import { randomBytes } from 'node:crypto';
import type { Identity, RecordedRequest } from '../../src/contract/index.ts';
import { Recorder, recordLine } from '../../src/recording/index.ts';

const START_MS = Date.UTC(2026, 10, 23);
const CALLERS = 2000;

const NOTHING = { add: () => {} };
const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

export const RECORDING_KEY = Object.freeze({ id: 'be'.repeat(6), key: randomBytes(32) });

/** Who calls the protected API in the recording: the document's own consumer. */
const CALLER: Identity = Object.freeze({
  consumer: 'mobile-app',
  groups: ['partners'],
  scopes: [],
  claims: {},
  credential: { id: 'mobile-app-1', kind: 'api-key' },
});

/** A request as browsers and proxies send them. */
function request(i: number): RecordedRequest {
  const attachment = (policy: string) =>
    ({
      attachment: `route:read/${policy}`,
      policy,
      mode: 'enforce',
      phase: 'request',
      outcome: 'continue',
    }) as const;
  return {
    requestId: (i + 0x1000000).toString(16).padStart(32, '0'),
    atMs: START_MS + i / 2,
    durationMs: 4 + (i % 40),
    revision: 'a'.repeat(64),
    listener: 'public',
    scheme: 'http',
    peer: `198.51.${(i % CALLERS) >> 8}.${i & 255}`,
    method: 'GET',
    target: `/read/orders/${i}?page=${i % 7}&sort=created`,
    httpVersion: '1.1',
    headers: [
      ...[
        'Host',
        'api.example.com',
        'User-Agent',
        'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101',
      ],
      ...[
        'Accept',
        'application/json',
        'Accept-Encoding',
        'gzip, deflate, br',
        'Accept-Language',
        'en-GB,en;q=0.5',
      ],
      ...['X-API-Key', '', 'Cookie', '', 'X-Request-Id', `${i}`, 'Connection', 'keep-alive'],
    ],
    withheld: { headers: ['x-api-key', 'cookie'], query: [] },
    body: { kind: 'none' },
    certificate: undefined,
    identity: CALLER,
    outcome: {
      kind: 'forward',
      status: 0,
      route: 'read',
      by: undefined,
      policy: undefined,
      code: undefined,
      rule: undefined,
    },
    decisions: ['ip-list', 'api-key', 'acl', 'rate-limit'].map(attachment),
    upstream: { status: 200, ms: 3 + (i % 38) },
    weight: 1,
  };
}

/** Writes `count` records as a worker would. */
export async function recordTraffic(dir: string, count: number): Promise<void> {
  let nowMs = START_MS;
  const recorder = new Recorder(
    { requestsPerSecond: count, keepMs: 86_400_000, maxBytes: 1e9 },
    {
      place: { dir, key: RECORDING_KEY },
      clock: { now: () => nowMs, monotonic: () => nowMs },
      log: QUIET,
      random: Math.random,
      kept: NOTHING,
      sampledOut: NOTHING,
      dropped: NOTHING,
      repeat: () => () => {},
    },
  );
  for (let i = 0; i < count; i++) {
    const record = request(i);
    nowMs = record.atMs;
    if (recorder.offer('passed', 'read', 'mobile-app')) recorder.keep(record.atMs, recordLine(record));
    if (i % 5000 === 4999) await recorder.flush();
  }
  await recorder.close();
}
