import { RawClient, statusOf } from '../fixtures/raw-client.ts';
import { type Answer, ok, type RawUpstream, send, sendThenReset, silent } from '../fixtures/raw-upstream.ts';
import { Dice } from '../fuzz/generate.ts';

const HOST = 'Host: a.test\r\n';
const LARGE = 'x'.repeat(200_000);

/** What the upstream does is told by the path. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  '/small': ok('small'),
  '/large': ok(LARGE),
  '/chunked': send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'),
  '/reset': sendThenReset('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntorn'),
  '/garbage': sendThenReset('garbage\r\n\r\n'),
  '/silent': silent,
};

/** One kind of exchange: what is sent, and whether what came back is right. */
type Kind = (client: RawClient, user: string) => Promise<string | undefined>;

const get = (path: string, user: string): string => `GET ${path} HTTP/1.1\r\n${HOST}X-User: ${user}\r\n\r\n`;

/** Sends one request on the lane's connection and compares the answer's body. */
const answered =
  (bytes: (user: string) => string, body: string): Kind =>
  async (client, user) => {
    client.send(bytes(user));
    const response = await client.response(1, 10_000);
    if (response?.complete !== true) return 'no whole answer';
    if (statusOf(response) !== 200) return `status ${statusOf(response)}`;
    return response.body.toString('latin1') === body ? undefined : 'another body';
  };

/** Sends something after which the connection is not used again; any refusal or cut is right, a clean 200 is not. */
const broken =
  (bytes: string): Kind =>
  async (client) => {
    client.send(bytes);
    const response = await client.response(1, 10_000);
    client.close();
    return response?.complete === true && statusOf(response) === 200
      ? 'a clean 200 for something broken'
      : undefined;
  };

const KINDS: readonly (readonly [name: string, weight: number, kind: Kind])[] = [
  ['small', 60, answered((user) => get('/small', user), 'small')],
  ['large', 5, answered((user) => get('/large', user), LARGE)],
  ['chunked answer', 10, answered((user) => get('/chunked', user), 'hello')],
  [
    'chunked body',
    10,
    answered(
      (user) =>
        `POST /small HTTP/1.1\r\n${HOST}X-User: ${user}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
      'small',
    ),
  ],
  [
    'long body',
    3,
    answered(() => `POST /small HTTP/1.1\r\n${HOST}Content-Length: ${LARGE.length}\r\n\r\n${LARGE}`, 'small'),
  ],
  ['upstream reset', 4, broken(get('/reset', 'u'))],
  ['upstream garbage', 2, broken(get('/garbage', 'u'))],
  ['bad request', 4, broken('GET /small HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')],
  ['over the limit', 2, broken(`POST /small HTTP/1.1\r\n${HOST}Content-Length: 9999999\r\n\r\n`)],
  [
    'gone client',
    4,
    async (client) => {
      client.send(get('/silent', 'u'));
      client.reset();
      return undefined;
    },
  ],
  [
    'half a body',
    2,
    async (client) => {
      client.send(`POST /small HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\nhalf`);
      client.close();
      return undefined;
    },
  ],
];
const TOTAL_WEIGHT = KINDS.reduce((sum, [, weight]) => sum + weight, 0);

/** Lanes of mixed exchanges, sound and broken, each judged. */
export class Traffic {
  readonly faults: string[] = [];
  readonly kinds = new Map<string, number>();
  count = 0;
  readonly #port: number;
  readonly #lanes: Promise<void>[] = [];
  #running = true;

  constructor(port: number, upstream: RawUpstream) {
    this.#port = port;
    upstream.answer = (socket, request, index) => {
      ANSWERS[request.startLine.split(' ')[1]]?.(socket, request, index);
    };
  }

  /** Every kind once. */
  async once(): Promise<void> {
    for (const [name, , kind] of KINDS) {
      const client = await RawClient.connect(this.#port);
      await this.#exchange(name, kind, client, 'first');
      client.close();
    }
  }

  start(lanes: number): void {
    for (let lane = 0; lane < lanes; lane++) this.#lanes.push(this.#lane(lane));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#lanes);
  }

  async #lane(lane: number): Promise<void> {
    const dice = new Dice(lane + 1);
    let client = await RawClient.connect(this.#port);
    while (this.#running) {
      const [name, , kind] = pick(dice);
      await this.#exchange(name, kind, client, `user-${dice.below(100_000)}`);
      if (client.state === 'open' && !client.socket.destroyed && !dice.oneIn(100)) continue;
      client.close();
      client = await RawClient.connect(this.#port);
    }
    client.close();
  }

  async #exchange(name: string, kind: Kind, client: RawClient, user: string): Promise<void> {
    client.forget();
    const fault = await kind(client, user);
    this.count++;
    this.kinds.set(name, (this.kinds.get(name) ?? 0) + 1);
    if (fault !== undefined) this.faults.push(`${name}: ${fault}`);
  }
}

function pick(dice: Dice): (typeof KINDS)[number] {
  let left = dice.below(TOTAL_WEIGHT);
  for (const entry of KINDS) {
    left -= entry[1];
    if (left < 0) return entry;
  }
  return KINDS[0];
}
