import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { AccessRecord } from '../../../src/contract/index.ts';
import { type Document, freePort, startGateway } from '../../fixtures/gateway.ts';
import { eventually, temporaryFolder } from '../../fixtures/process.ts';
import { RawClient, statusOf, values } from '../../fixtures/raw-client.ts';
import { ok, RawUpstream } from '../../fixtures/raw-upstream.ts';
import { everyPolicy, FILES, KEYS, type ListenerPorts } from './document.ts';
import { answered, FORWARDED, type Outcome, refused } from './outcome.ts';
import type { GeneratedRequest } from './requests.ts';

/** What was served, and what there is to see of it from outside. */
export interface LiveRun {
  readonly document: Document;
  readonly records: readonly AccessRecord[];
  /** Statuses that clients saw, by request id. */
  readonly statuses: ReadonlyMap<string, number>;
  /** Ids of the requests that the upstream received. */
  readonly arrived: ReadonlySet<string>;
}

/** Sends the requests to the real program, one after the other. */
export async function askLive(requests: readonly GeneratedRequest[]): Promise<LiveRun> {
  const folder = await temporaryFolder();
  const arrived = new Set<string>();
  const upstream = await startUpstream(arrived);
  try {
    const ports = await freePorts();
    const document = everyPolicy(ports, upstream.url);
    const file = path.join(folder.path, 'records.jsonl');
    const statuses = await serve(document, file, () => askAll(requests, ports));
    return { document, records: await recordsIn(file), statuses, arrived };
  } finally {
    await upstream.stop();
    await folder.remove();
  }
}

/** What a record says became of its request. */
export function outcomeOf(record: AccessRecord): Outcome {
  const { route, client, consumer, status, error, upstream, decisions } = record;
  const verdict =
    error !== undefined ? refused(status, error) : upstream === undefined ? answered(status) : FORWARDED;
  const early = decisions.filter(({ phase }) => phase === 'request' || phase === 'requestBody');
  return { verdict, route, client, consumer, decisions: early };
}

/** Serves while `work` runs. Once the program has ended, every record is written. */
async function serve<T>(document: Document, records: string, work: () => Promise<T>): Promise<T> {
  // Two workers, who share the counters.
  const gateway = await startGateway(document, { workers: 2, env: KEYS, files: FILES, records });
  try {
    return await work();
  } finally {
    await gateway.stop();
  }
}

/** Answers all. Without a body, so that the same answer is right for HEAD. */
export function startUpstream(arrived: Set<string>): Promise<RawUpstream> {
  const answer = ok('', ['X-Origin: a']);
  return RawUpstream.start({
    keep: false,
    answer: (socket, request, index) => {
      for (const id of values(request, 'x-request-id')) arrived.add(id);
      answer(socket, request, index);
    },
  });
}

/** For both listeners. */
export async function freePorts(): Promise<ListenerPorts> {
  const [first, second] = await Promise.all([freePort(), freePort()]);
  return { public: first, inner: second };
}

/** Sends the requests, one after the other. Statuses of the answers, by request id. */
export async function askAll(
  requests: readonly GeneratedRequest[],
  ports: ListenerPorts,
): Promise<ReadonlyMap<string, number>> {
  await eventually(() => accepts(ports.inner));
  const statuses = new Map<string, number>();
  const clients = new Clients(ports);
  try {
    for (const request of requests) statuses.set(request.id, await clients.ask(request));
    return statuses;
  } finally {
    clients.close();
  }
}

const accepts = (port: number): Promise<boolean> =>
  RawClient.connect(port).then(
    (client) => {
      client.close();
      return true;
    },
    () => false,
  );

/** Connections kept by where they come from and go to; and by method, since an answer to HEAD is read otherwise. */
class Clients {
  readonly #ports: ListenerPorts;
  readonly #open = new Map<string, RawClient>();

  constructor(ports: ListenerPorts) {
    this.#ports = ports;
  }

  /** Status of the answer. */
  async ask(request: GeneratedRequest): Promise<number> {
    const { id, listener, peer, method } = request;
    const place = `${listener} ${peer} ${method}`;
    const options = { localAddress: peer, methods: [method] };
    const client = this.#open.get(place) ?? (await RawClient.connect(this.#ports[listener], options));
    this.#open.set(place, client);
    client.forget();
    client.send(bytesOf(request));
    const response = await client.response();
    assert.ok(response?.complete, `${id} was not answered`);
    if (values(response, 'connection').includes('close')) {
      client.close();
      this.#open.delete(place);
    }
    return statusOf(response);
  }

  close(): void {
    for (const client of this.#open.values()) client.close();
  }
}

function bytesOf({ method, target, fields, body, chunkBytes }: GeneratedRequest): Buffer {
  let head = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  const framed = chunkBytes === 0 ? [body] : chunksOf(body, chunkBytes);
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), ...framed]);
}

function chunksOf(body: Uint8Array, chunkBytes: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += chunkBytes) {
    const chunk = body.subarray(at, at + chunkBytes);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return [...parts, Buffer.from('0\r\n\r\n')];
}

async function recordsIn(file: string): Promise<readonly AccessRecord[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line));
}
