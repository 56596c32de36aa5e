/** Who plays beside the gateway: a desk that checks passwords and takes its time, and callers from many addresses. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** An answer, as far as the story looks at it. */
export interface Told {
  readonly status: number;
  readonly code: string | undefined;
  readonly detail: string;
  readonly headers: Headers;
}

/** Callers of one gateway. */
export class Callers {
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Asks as a client at `address` would, behind the proxy that says so. */
  async ask(address: string, at: string, init: RequestInit = {}): Promise<Told> {
    const headers = { 'x-forwarded-for': address, ...Object.fromEntries(new Headers(init.headers)) };
    const response = await fetch(`${this.#origin}${at}`, { ...init, headers });
    const text = await response.text();
    const { status } = response;
    const isProblem = response.headers.get('content-type') === 'application/problem+json';
    const problem: { code?: string; detail?: string } = isProblem ? JSON.parse(text) : {};
    return { status, code: problem.code, detail: problem.detail ?? '', headers: response.headers };
  }

  async login(address: string, password: string): Promise<number> {
    return (await this.ask(address, '/login', { method: 'POST', headers: { 'x-password': password } }))
      .status;
  }

  order(address: string, items: string): Promise<Told> {
    return this.ask(address, '/bulk', { method: 'POST', headers: { 'x-items': items } });
  }
}

export const PASSWORD = 'open sesame';

/** Knows one password; keeps reports until they are let go, in the order in which they came. */
export class Desk {
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #waiting: { readonly what: string; readonly response: ServerResponse }[] = [];

  async open(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** What the reports under way are about. */
  get underWay(): readonly string[] {
    return this.#waiting.map(({ what }) => what);
  }

  /** Answers the report that has been under way for longest. */
  finishOne(): void {
    this.#waiting.shift()?.response.end();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = '/', headers } = request;
    request.resume();
    if (url.startsWith('/reports/')) return void this.#waiting.push({ what: url.slice(9), response });
    const isWrong = 'x-password' in headers && headers['x-password'] !== PASSWORD;
    response.writeHead(isWrong ? 401 : 200).end();
  }
}
