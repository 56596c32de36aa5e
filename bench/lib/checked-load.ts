import { RawClient, type RawMessage, statusOf, values } from '../../test/fixtures/raw-client.ts';

/** An answer seen under load, with what was known when its request left. */
export interface Sighting {
  readonly status: number;
  readonly body: string;
  readonly revision: string;
  readonly marker: number;
  /** The newest marker whose publish had returned when the request was sent. */
  readonly floor: number;
}

/** Load that looks at every answer, where wrk only counts them. Closed loop: one request in flight per connection. */
export class CheckedLoad {
  readonly failures: string[] = [];
  /** Revision seen per marker; more than one for a marker is a mixed answer. */
  readonly revisions = new Map<number, Set<string>>();
  /** Raised when a publish has returned. */
  floor = 0;
  answers = 0;
  readonly #port: number;
  readonly #expected: string;
  #running = true;
  #lanes: Promise<void>[] = [];

  constructor(port: number, expected: string) {
    this.#port = port;
    this.#expected = expected;
  }

  start(connections: number): void {
    for (let i = 0; i < connections; i++) this.#lanes.push(this.#lane(i));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#lanes);
  }

  /** Connections are renewed now and then, so that accepting ones are seen too. */
  async #lane(index: number): Promise<void> {
    const perConnection = 200 + index * 17;
    while (this.#running) {
      const client = await RawClient.connect(this.#port);
      for (let n = 0; n < perConnection && this.#running; n++) {
        if (!(await this.#one(client, index, n))) break;
      }
      client.close();
    }
  }

  async #one(client: RawClient, index: number, n: number): Promise<boolean> {
    const { floor } = this;
    client.forget();
    client.send(`GET /r${(index * 31 + n) % 200}/x HTTP/1.1\r\nHost: bench\r\n\r\n`);
    const response = await client.response(1, 10_000);
    this.answers++;
    const fault =
      response?.complete === true ? this.#judge(response, floor) : `no whole answer (${client.state})`;
    if (fault === undefined) return true;
    this.failures.push(fault);
    return false;
  }

  #judge(response: RawMessage, floor: number): string | undefined {
    const status = statusOf(response);
    if (status !== 200) return `status ${status}: ${response.body.toString('utf8').slice(0, 200)}`;
    if (response.body.toString('utf8') !== this.#expected) return 'another body';
    const [revision, ...more] = values(response, 'x-policy-revision');
    const marker = Number(values(response, 'x-marker')[0]);
    if (revision === undefined || more.length > 0 || !(marker >= 0)) return 'no single revision or marker';
    if (marker < floor) return `marker ${marker} after ${floor} was enforced`;
    const seen = this.revisions.get(marker) ?? new Set();
    this.revisions.set(marker, seen.add(revision));
    return undefined;
  }
}
