/** Who plays beside the gateway: a warehouse, and callers that never stop. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** Knows prices and orders. Prices of every third article hang on the market, of which it knows one. */
export class Warehouse {
  readonly #server = createServer((request, response) => this.#answer(request, response));

  async open(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer({ url = '/', headers }: IncomingMessage, response: ServerResponse): void {
    const article = /^\/prices\/(\d+)$/.exec(url)?.[1];
    const isLost = article !== undefined && Number(article) % 3 === 0 && headers['x-market'] !== 'eu';
    response.writeHead(isLost ? 500 : 200).end();
  }
}

/** What a caller asks for, again and again. */
export interface Caller {
  readonly name: string;
  readonly address: string;
  readonly key?: string;
  /** Its `turn`th request. */
  readonly at: (turn: number) => string;
}

/** What became of one request. */
export interface Answer {
  readonly caller: Caller;
  /** When it was sent, in milliseconds since the epoch. */
  readonly sentMs: number;
  /** 0 where there was no answer. */
  readonly status: number;
  /** Policy revision that decided it. */
  readonly revision: string;
  readonly id: string;
}

const TURN_MS = 20;
const CALLERS_PER_TURN = 3;
/** Nobody asks anew while so many wait for an answer. */
const MOST_WAITING = 60;

/** Callers who ask in turn, about 150 requests a second together, whatever happens. */
export class Traffic {
  readonly answers: Answer[] = [];
  readonly #origin: string;
  readonly #callers: readonly Caller[];
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;
  #waiting = 0;

  constructor(origin: string, callers: readonly Caller[]) {
    this.#origin = origin;
    this.#callers = callers;
  }

  start(): void {
    this.#timer = setInterval(() => {
      for (let i = 0; i < CALLERS_PER_TURN && this.#waiting < MOST_WAITING; i++) void this.#next();
    }, TURN_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stop.abort();
  }

  /** Answers to what was sent since then. */
  since(ms: number): readonly Answer[] {
    return this.answers.filter(({ sentMs }) => sentMs >= ms);
  }

  /** One more request of a caller, its `turn`th. */
  async ask(caller: Caller, turn = 0): Promise<Answer> {
    const sentMs = Date.now();
    const answer = { caller, sentMs, ...(await this.#send(caller, turn)) };
    this.answers.push(answer);
    return answer;
  }

  async #next(): Promise<void> {
    const turn = this.#asked++;
    this.#waiting++;
    await this.ask(this.#callers[turn % this.#callers.length], Math.floor(turn / this.#callers.length));
    this.#waiting--;
  }

  async #send(
    { address, key, at }: Caller,
    turn: number,
  ): Promise<Pick<Answer, 'status' | 'revision' | 'id'>> {
    const headers = { 'x-forwarded-for': address, ...(key === undefined ? {} : { 'x-api-key': key }) };
    try {
      const response = await fetch(`${this.#origin}${at(turn)}`, { headers, signal: this.#stop.signal });
      await response.arrayBuffer();
      const said = (name: string): string => response.headers.get(name) ?? '';
      return { status: response.status, revision: said('x-policy-revision'), id: said('x-request-id') };
    } catch {
      return { status: 0, revision: '', id: '' };
    }
  }
}
