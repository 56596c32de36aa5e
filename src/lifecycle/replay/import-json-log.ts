import { parseIpAddress } from '../../lib/ip-address.ts';
import { readRequestLine } from './import-combined.ts';
import { httpVersionOf, type ImportedRequest, type ImportOptions } from './import-record.ts';

/** Where logs of common servers say what; a dot leads into an object. The first that is there counts. */
const NAMES = {
  time: [
    'time',
    'timestamp',
    '@timestamp',
    'ts',
    'time_iso8601',
    'time_local',
    'msec',
    'StartUTC',
    'start_time',
    'datetime',
  ],
  peer: [
    'remote_addr',
    'client_ip',
    'client',
    'remote_ip',
    'ClientHost',
    'request.client_ip',
    'request.remote_ip',
    'remote_address',
    'downstream_remote_address',
    'ip',
  ],
  method: ['method', 'request_method', 'RequestMethod', 'request.method', 'http_method', 'verb'],
  target: [
    'request_uri',
    'RequestPath',
    'request.uri',
    'uri',
    'request_path',
    'path',
    'url',
    'target',
    'x_envoy_original_path',
  ],
  host: ['host', 'http_host', 'RequestHost', 'request.host', 'authority', 'vhost', 'server_name'],
  status: ['status', 'DownstreamStatus', 'response_code', 'status_code', 'response.status', 'code'],
  id: ['request_id', 'requestId', 'x_request_id', 'trace_id', 'id'],
  line: ['request'],
  protocol: ['server_protocol', 'protocol', 'RequestProtocol', 'request.proto', 'http_version'],
  agent: ['http_user_agent', 'user_agent', 'request_User-Agent', 'agent', 'userAgent'],
  referer: ['http_referer', 'referer', 'request_Referer'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** How long it took, by name: what one of it is in milliseconds. */
const DURATIONS: readonly (readonly [name: string, ms: number])[] = [
  ['duration_ms', 1],
  ['durationMs', 1],
  ['response_time_ms', 1],
  ['latency_ms', 1],
  ['request_time', 1000],
  // Traefik counts nanoseconds, Caddy seconds.
  ['Duration', 1e-6],
  ['duration', 1000],
];

/** What servers write in place of what they leave out. */
const LEFT_OUT = /^(?:REDACTED|\[?redacted\]?|\*+|-)$/i;

/** A JSON line of another server's access log, by the names that common ones use; a text says what it lacks. */
export function readJsonLog(line: string, id: string, _options: ImportOptions): ImportedRequest | string {
  const log = parsed(line);
  if (log === undefined) return 'it is no JSON object';
  const read = (what: keyof typeof NAMES): string | undefined => firstOf(log, NAMES[what]);
  const atMs = timeOf(read('time'));
  if (atMs === undefined) return 'it has no time that can be read';
  const request = requestOf(read);
  if (request === undefined) return 'it has no method and path';
  const status = Number(read('status') ?? 0);
  const sent = headersOf(log);
  return {
    id: read('id') ?? id,
    atMs,
    durationMs: durationOf(log),
    peer: parseIpAddress(withoutPort(read('peer') ?? ''))?.text,
    ...request,
    headers: [...hostOf(sent?.fields ?? [], read('host')), ...(sent?.fields ?? fewFields(read))],
    withheldHeaders: sent?.withheld,
    unknownHeaders: sent === undefined ? 'all' : [],
    status: Number.isInteger(status) ? status : 0,
  };
}

type Log = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Log =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parsed(line: string): Log | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function firstOf(log: Log, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = valueAt(log, name);
    if (typeof value === 'string' && value !== '' && value !== '-') return value;
    if (typeof value === 'number') return String(value);
  }
  return undefined;
}

function valueAt(log: Log, name: string): unknown {
  if (Object.hasOwn(log, name)) return log[name];
  const dot = name.indexOf('.');
  const inner = dot === -1 ? undefined : log[name.slice(0, dot)];
  return isObject(inner) ? inner[name.slice(dot + 1)] : undefined;
}

/** ISO 8601, or seconds or milliseconds since the epoch. */
function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  const ms = Number.isNaN(number) ? Date.parse(text) : number < 1e11 ? number * 1000 : number;
  return Number.isNaN(ms) ? undefined : ms;
}

function requestOf(read: (what: keyof typeof NAMES) => string | undefined) {
  const line = readRequestLine(read('line') ?? '');
  const method = read('method')?.toUpperCase() ?? line?.method;
  const target = read('target') ?? line?.target;
  if (method === undefined || target === undefined || !/^[A-Z]{3,20}$/.test(method)) return undefined;
  const path = target.replace(/^https?:\/\/[^/?#]+/i, '');
  const protocol = read('protocol');
  const httpVersion = protocol === undefined ? (line?.httpVersion ?? '1.1') : httpVersionOf(protocol);
  return { method, target: path.startsWith('/') ? path : `/${path}`, httpVersion } as const;
}

function durationOf(log: Log): number {
  for (const [name, factor] of DURATIONS) {
    const value = Number(valueAt(log, name) ?? Number.NaN);
    if (Number.isFinite(value) && value >= 0) return value * factor;
  }
  return 0;
}

/** `203.0.113.7:51514` or `[2001:db8::1]:51514`. */
const withoutPort = (text: string): string =>
  text.replace(/^\[([^\]]+)\](?::\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');

/** Header fields where a server logs all of them (Caddy): an object of texts or lists of texts. */
function headersOf(log: Log): { readonly fields: string[]; readonly withheld: string[] } | undefined {
  const headers = valueAt(log, 'request.headers');
  if (!isObject(headers)) return undefined;
  const fields: string[] = [];
  const withheld: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one !== 'string') continue;
      const isLeftOut = LEFT_OUT.test(one);
      fields.push(name, isLeftOut ? '' : one);
      if (isLeftOut) withheld.push(name.toLowerCase());
    }
  }
  return { fields, withheld };
}

function hostOf(fields: readonly string[], host: string | undefined): readonly string[] {
  const isThere = fields.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'host');
  return isThere || host === undefined ? [] : ['Host', host];
}

const fewFields = (read: (what: keyof typeof NAMES) => string | undefined): readonly string[] =>
  (
    [
      ['User-Agent', read('agent')],
      ['Referer', read('referer')],
    ] as const
  ).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
