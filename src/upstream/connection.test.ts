import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import type { UpstreamPlan } from '../contract/index.ts';
import type { UpstreamError } from '../errors.ts';
import type { ResponseHead } from '../http1/index.ts';
import { Deadlines } from '../lib/deadlines.ts';
import { createSharedIo } from '../lib/shared-io.ts';
import type { UpstreamClient, UpstreamConnection } from './connection.ts';
import { Target } from './target.ts';

const PLAN: UpstreamPlan = {
  name: 'u',
  targets: [],
  balance: 'round-robin',
  ca: undefined,
  serverName: undefined,
  hostHeader: 'preserve',
  connectTimeoutMs: 1000,
  responseTimeoutMs: 1000,
  idleTimeoutMs: 1000,
  maxIdleConnections: 1,
  connectAttempts: 1,
  passive: { failures: 3, restMs: 1000 },
};
const NO_LOG = { info() {}, warn() {}, error() {} };
const clock = { now: () => 0, monotonic: () => 0 };
const deadlines = new Deadlines(clock.monotonic);
after(() => deadlines.stop());

/** Writes down what it is told. */
class Witness implements UpstreamClient {
  readonly log: string[] = [];
  body = '';
  /** What it does when it sees the head. */
  atHead: () => void = () => {};

  onInterim(head: ResponseHead): void {
    this.log.push(`interim ${head.status}`);
  }
  onHead(head: ResponseHead): void {
    this.log.push(`head ${head.status}`);
    this.atHead();
  }
  onBody(bytes: Buffer, from: number, to: number): void {
    this.body += bytes.toString('latin1', from, to);
  }
  onEnd(trailers: readonly string[]): void {
    this.log.push(['end', ...trailers].join(' '));
  }
  onFailure(error: UpstreamError): void {
    this.log.push(error.code);
  }
  onBatchEnd(): void {}
  onDrain(): void {}
  onDefect(cause: unknown): void {
    this.log.push(`defect ${cause}`);
  }
}

interface Scene {
  readonly target: Target;
  readonly connection: UpstreamConnection;
  readonly witness: Witness;
}

/** A connection on which a request was sent whole. */
function scene(method = 'GET'): Scene {
  const plan = { scheme: 'http', host: '127.0.0.1', port: 1, basePath: '', weight: 1 } as const;
  const target = new Target(plan, PLAN, { clock, deadlines, io: createSharedIo(), log: NO_LOG });
  const connection = target.adopt(new Socket(), undefined);
  const witness = new Witness();
  connection.begin(witness, method);
  connection.requestSent = true;
  return { target, connection, witness };
}

/** Feeds `text` cut at `cuts` from one buffer that is overwritten each time, as the worker's read buffer is. */
function feed({ connection }: Scene, text: string, cuts: readonly number[] = []): void {
  const shared = Buffer.alloc(64 * 1024);
  let from = 0;
  for (const to of [...cuts, text.length]) {
    shared.fill(0x21);
    const length = shared.write(text.slice(from, to), 'latin1');
    if (length > 0) connection.receive(shared.subarray(0, length));
    from = to;
  }
}

interface Outcome {
  readonly log: readonly string[];
  readonly body: string;
  /** Whether the connection went back to its pool. */
  readonly kept: boolean;
}

function outcomeOf({ target, connection, witness }: Scene): Outcome {
  const idle = target.takeIdle();
  assert.ok(idle === undefined || idle === connection);
  assert.equal(idle === undefined, connection.socket.destroyed || witness.log.length < 2);
  return { log: witness.log, body: witness.body, kept: idle !== undefined };
}

const OK = 'HTTP/1.1 200 OK\r\n';

describe('answers', () => {
  const cases: [name: string, method: string, text: string, log: string[], body: string, kept: boolean][] = [
    ['length', 'GET', `${OK}Content-Length: 5\r\n\r\nhello`, ['head 200', 'end'], 'hello', true],
    ['length 0', 'GET', `${OK}Content-Length: 0\r\n\r\n`, ['head 200', 'end'], '', true],
    [
      'chunked',
      'GET',
      `${OK}Transfer-Encoding: chunked\r\n\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nT: v\r\n\r\n`,
      ['head 200', 'end T v'],
      'hello',
      true,
    ],
    ['HEAD', 'HEAD', `${OK}Content-Length: 5\r\n\r\n`, ['head 200', 'end'], '', true],
    ['204', 'GET', 'HTTP/1.1 204 x\r\n\r\n', ['head 204', 'end'], '', true],
    ['304', 'GET', 'HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n', ['head 304', 'end'], '', true],
    [
      'interim',
      'GET',
      `HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\n${OK}Content-Length: 1\r\n\r\nx`,
      ['interim 100', 'interim 103', 'head 200', 'end'],
      'x',
      true,
    ],
    ['close', 'GET', `${OK}Connection: close\r\nContent-Length: 1\r\n\r\nx`, ['head 200', 'end'], 'x', false],
    ['HTTP/1.0', 'GET', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx', ['head 200', 'end'], 'x', false],
    ['malformed head', 'GET', `${OK}A : b\r\n\r\n`, ['upstream-malformed'], '', false],
    [
      'malformed second head',
      'GET',
      `HTTP/1.1 100 x\r\n\r\nHTTP/1.1 20 x\r\n\r\n`,
      ['interim 100', 'upstream-malformed'],
      '',
      false,
    ],
    [
      'malformed chunk',
      'GET',
      `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nz\r\n`,
      ['head 200', 'upstream-malformed'],
      'x',
      false,
    ],
    [
      'malformed trailers',
      'GET',
      `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nA : b\r\n\r\n`,
      ['head 200', 'upstream-malformed'],
      '',
      false,
    ],
    [
      '17 interim answers',
      'GET',
      `${'HTTP/1.1 103 x\r\n\r\n'.repeat(17)}${OK}\r\n`,
      [...Array(16).fill('interim 103'), 'upstream-malformed'],
      '',
      false,
    ],
  ];
  for (const [name, method, text, log, body, kept] of cases) {
    it(`${name}: at once, in two at every place, byte by byte`, () => {
      const every = Array.from(text, (_, i) => i);
      for (const cuts of [[], every, ...every.map((cut) => [cut])]) {
        const on = scene(method);
        feed(on, text, cuts);
        assert.deepEqual(outcomeOf(on), { log, body, kept }, `cut at ${cuts}`);
      }
    });
  }
  it('until the connection ends', () => {
    const on = scene();
    feed(on, `${OK}\r\nhello`, [10, 20]);
    assert.deepEqual(on.witness.log, ['head 200']);
    on.connection.socket.emit('end');
    assert.deepEqual(outcomeOf(on), { log: ['head 200', 'end'], body: 'hello', kept: false });
  });
  it('a head without end', () => {
    const on = scene();
    feed(on, OK);
    for (let i = 0; i < 70; i++) feed(on, `A: ${'b'.repeat(1020)}\r\n`);
    assert.deepEqual(on.witness.log, ['upstream-malformed']);
  });
});

describe('an end that comes too early is a failure, never an end', () => {
  const cases: [text: string, log: string[]][] = [
    ['', []],
    ['HTTP/1.1 2', []],
    ['HTTP/1.1 100 x\r\n\r\n', ['interim 100']],
    [`${OK}Content-Length: 5\r\n\r\nhell`, ['head 200']],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`, ['head 200']],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n`, ['head 200']],
  ];
  for (const event of ['end', 'close', 'error', 'deadline']) {
    for (const [text, log] of [
      ...cases,
      ...(event === 'end' ? [] : [[`${OK}\r\nhello`, ['head 200']] as const]),
    ]) {
      it(`${event} behind ${JSON.stringify(text.slice(-20))}`, () => {
        const on = scene();
        feed(on, text);
        if (event === 'deadline') on.connection.onDeadline();
        else on.connection.socket.emit(event, event === 'error' ? new Error('reset') : undefined);
        const code = event === 'deadline' ? 'upstream-timeout' : /^upstream-(reset|unreachable)$/;
        const last = on.witness.log.pop() ?? '';
        if (typeof code === 'string') assert.equal(last, code);
        else assert.match(last, code);
        assert.deepEqual(on.witness.log, [...log]);
        assert.ok(on.connection.socket.destroyed);
        on.connection.socket.emit('close');
        assert.equal(on.witness.log.length, log.length, 'it is told once');
      });
    }
  }
});

describe('bytes nobody asked for', () => {
  const behind: [name: string, method: string, text: string][] = [
    ['a length', 'GET', `${OK}Content-Length: 1\r\n\r\nx`],
    ['chunks', 'GET', `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['no body', 'HEAD', `${OK}Content-Length: 1\r\n\r\n`],
    ['204', 'GET', 'HTTP/1.1 204 x\r\n\r\n'],
  ];
  for (const [name, method, text] of behind) {
    it(`behind ${name}, in the same packet: the answer counts, the connection goes`, () => {
      const on = scene(method);
      feed(on, `${text}${OK}Content-Length: 6\r\n\r\npoison`);
      assert.equal(on.witness.log.at(-1), 'end');
      assert.ok(!on.witness.body.includes('poison'));
      assert.deepEqual([on.target.takeIdle(), on.connection.socket.destroyed], [undefined, true]);
    });
    it(`behind ${name}, later: the idle connection goes`, () => {
      const on = scene(method);
      feed(on, text);
      feed(on, 'x');
      assert.deepEqual([on.target.takeIdle(), on.connection.socket.destroyed], [undefined, true]);
    });
  }
});

it('an answer before the request is whole frees nothing', () => {
  const on = scene('POST');
  on.connection.requestSent = false;
  feed(on, `${OK}Content-Length: 0\r\n\r\n`);
  assert.deepEqual(on.witness.log, ['head 200', 'end']);
  assert.deepEqual([on.target.takeIdle(), on.connection.socket.destroyed], [undefined, true]);
});

describe('a client that gives up at the head hears no more', () => {
  for (const rest of [
    'Content-Length: 0\r\n\r\n',
    'Content-Length: 2\r\n\r\nhi',
    'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    '\r\nhi',
  ]) {
    it(JSON.stringify(rest), () => {
      const on = scene();
      on.witness.atHead = () => on.connection.abandon();
      feed(on, OK + rest);
      on.connection.socket.emit('close');
      assert.deepEqual([on.witness.log, on.witness.body], [['head 200'], '']);
      assert.equal(on.target.takeIdle(), undefined);
    });
  }
});

it('a connection that was held goes back awake', () => {
  const on = scene();
  on.witness.atHead = () => void on.connection.socket.pause();
  feed(on, `${OK}Content-Length: 2\r\n\r\nhi`);
  assert.equal(on.target.takeIdle()?.socket.isPaused(), false);
});

it('the next request may begin while the last one ends', () => {
  const on = scene();
  const next = new Witness();
  on.witness.onEnd = () => {
    assert.equal(on.target.takeIdle(), on.connection);
    on.connection.begin(next, 'GET');
    on.connection.requestSent = true;
  };
  feed(on, `${OK}Content-Length: 2\r\n\r\nhi`);
  feed(on, `${OK}Content-Length: 2\r\n\r\nho`);
  assert.deepEqual([next.log, next.body], [['head 200', 'end'], 'ho']);
});

it('after 101 the rest is the tunnel’s', () => {
  const on = scene();
  const received: string[] = [];
  let early: string | undefined;
  on.witness.atHead = () => {
    early = on.connection.detach({ receive: (bytes) => void received.push(bytes.toString()) })?.toString();
  };
  feed(on, 'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nearly');
  on.connection.socket.emit('data', Buffer.from('later'));
  assert.deepEqual([early, received, on.witness.log], ['early', ['later'], ['head 101']]);
});

it('a client that throws hears of it once, and its connection is closed', () => {
  const on = scene();
  on.witness.atHead = () => {
    throw new Error('unseen');
  };
  feed(on, `${OK}Content-Length: 2\r\n\r\nhi`);
  assert.deepEqual(on.witness.log, ['head 200', 'defect Error: unseen']);
  assert.ok(on.connection.socket.destroyed);
  assert.equal(on.target.takeIdle(), undefined);
});
