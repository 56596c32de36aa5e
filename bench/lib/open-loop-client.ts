/**
 * The process that makes an open load: `node open-loop-client.ts JSON`, where JSON is an OpenLoad with the port. Prints
 * what came of it as JSON. A process of its own, so that it can be kept to a core.
 */
import { connect, type Socket } from 'node:net';
import type { LaneOutcome, OpenLane, OpenLoad } from './open-loop.ts';

const { port, seconds, warmUpSeconds, lanes }: OpenLoad & { port: number } = JSON.parse(process.argv[2]);

/** One connection: at most one request at a time. */
class Client {
  readonly #socket: Socket;
  readonly #lane: Lane;
  #sentAtMs = 0;
  #missing = 0;

  constructor(lane: Lane) {
    this.#lane = lane;
    const buffer = Buffer.allocUnsafe(64 * 1024);
    const callback = (length: number): boolean => {
      this.#read(buffer.toString('latin1', 0, length));
      return true;
    };
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } });
    this.#socket.on('error', () => {});
    this.#socket.on('connect', () => lane.idle.push(this));
    this.#socket.on('close', () => lane.broken(this.#sentAtMs !== 0));
  }

  send(bytes: string): void {
    this.#sentAtMs = performance.now();
    this.#socket.write(bytes, 'latin1');
  }

  close(): void {
    this.#socket.removeAllListeners('close').destroy();
  }

  #read(text: string): void {
    if (this.#missing > 0) this.#missing -= text.length;
    else this.#head(text);
    if (this.#missing > 0) return;
    this.#lane.answered(performance.now() - this.#sentAtMs);
    this.#sentAtMs = 0;
    this.#lane.idle.push(this);
  }

  /** Answers here are short: the head comes in one piece. */
  #head(text: string): void {
    this.#lane.status = text.slice(9, 12);
    const length = /\r\ncontent-length: (\d+)/i.exec(text);
    const end = text.indexOf('\r\n\r\n');
    if (length === null || end === -1) throw new Error(`an answer without a length:\n${text}`);
    this.#missing = end + 4 + Number(length[1]) - text.length;
  }
}

class Lane {
  readonly idle: Client[] = [];
  readonly outcome: LaneOutcome;
  status = '';
  readonly #lane: OpenLane;
  readonly #bytes: string;
  readonly #clients: Client[];
  readonly #latenciesMs: number[] = [];
  #nextAtMs = 0;
  #counts = false;

  constructor(lane: OpenLane) {
    this.#lane = lane;
    const { path, headers = [], body = '' } = lane;
    const about = body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`];
    const fields = ['Host: bench', ...headers, ...about].join('\r\n');
    this.#bytes = `${body === '' ? 'GET' : 'POST'} ${path} HTTP/1.1\r\n${fields}\r\n\r\n${body}`;
    this.outcome = {
      name: lane.name,
      offered: 0,
      unsent: 0,
      served: 0,
      refused: 0,
      failed: 0,
      p50Ms: 0,
      p99Ms: 0,
    };
    this.#clients = Array.from({ length: lane.connections }, () => new Client(this));
  }

  get areReady(): boolean {
    return this.idle.length === this.#clients.length;
  }

  begin(nowMs: number): void {
    this.#nextAtMs = nowMs;
  }

  count(): void {
    this.#counts = true;
  }

  /** Begins whatever is due by now, whatever came of what was begun before. */
  sendDue(nowMs: number): void {
    while (this.#nextAtMs <= nowMs) {
      // A Poisson process: what many independent clients come to.
      this.#nextAtMs += (-Math.log(1 - Math.random()) * 1000) / this.#lane.perSecond;
      if (this.#counts) this.outcome.offered++;
      const client = this.#anyIdle();
      if (client !== undefined) client.send(this.#bytes);
      else if (this.#counts) this.outcome.unsent++;
    }
  }

  answered(latencyMs: number): void {
    if (!this.#counts) return;
    if (this.status === '503') this.outcome.refused++;
    else if (this.status !== '200') this.outcome.failed++;
    else {
      this.outcome.served++;
      this.#latenciesMs.push(latencyMs);
    }
  }

  broken(wasAsking: boolean): void {
    if (this.#counts && wasAsking) this.outcome.failed++;
  }

  end(): LaneOutcome {
    this.#counts = false;
    for (const client of this.#clients) client.close();
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
    return { ...this.outcome, p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  #anyIdle(): Client | undefined {
    const { idle } = this;
    const last = idle.pop();
    if (last === undefined || idle.length === 0) return last;
    const at = Math.floor(Math.random() * idle.length);
    const client = idle[at];
    idle[at] = last;
    return client;
  }
}

const ready = lanes.map((lane) => new Lane(lane));
while (!ready.every((lane) => lane.areReady)) await new Promise((resolve) => setTimeout(resolve, 10));
const beganMs = performance.now();
for (const lane of ready) lane.begin(beganMs);
const timer = setInterval(() => {
  for (const lane of ready) lane.sendDue(performance.now());
}, 1);
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
await after(warmUpSeconds * 1000);
for (const lane of ready) lane.count();
const cpuBefore = process.cpuUsage();
await after(seconds * 1000);
clearInterval(timer);
const { user, system } = process.cpuUsage(cpuBefore);
console.log(
  JSON.stringify({ lanes: ready.map((lane) => lane.end()), cpuShare: (user + system) / 1e6 / seconds }),
);
process.exit(0);
