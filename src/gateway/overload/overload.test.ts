import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type Plane, settled, stage } from '../../../test/fixtures/data-plane.ts';
import { type RawClient, statusOf, values } from '../../../test/fixtures/raw-client.ts';
import { ok } from '../../../test/fixtures/raw-upstream.ts';
import {
  CONTINUE,
  type Decision,
  type ListenerPlan,
  type OverloadPlan,
  PRIORITIES,
  type RoutePlan,
} from '../../contract/index.ts';
import { buildRouter, makePipeline } from '../../evaluator/index.ts';

let asked = 0;
const OVERLOAD: OverloadPlan = { lagMs: 50, memory: { share: 0.9 }, retryAfterMs: 3000 };
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`;

/** A route of each priority, at its name. */
function routes(): ListenerPlan['router'] {
  const plan = (priority: RoutePlan['priority'], index: number): RoutePlan => {
    const pipeline = makePipeline([]);
    return {
      name: priority,
      index,
      pipeline,
      upstream: 'u',
      priority,
      maxBodyBytes: undefined,
      upgrade: true,
    };
  };
  return buildRouter(
    PRIORITIES.map((priority, i) => ({
      route: plan(priority, i),
      hosts: [],
      paths: [`/${priority}`],
      methods: [],
      headers: {},
    })),
  );
}

const parts = { overload: OVERLOAD, listener: { router: routes() } };

function counted(): Decision {
  asked++;
  return CONTINUE;
}

/** How much of the heap is used when there is room for the first so many priorities. */
const HEAP_FOR = [0.99, 0.95, 0.93, 0.91, 0] as const;

/** Nobody comes alone: with many requests behind them, the next are judged by what is left. */
async function busy(plane: Plane, roomFor: 0 | 1 | 2 | 3 | 4): Promise<void> {
  const client = await plane.send(get('/critical').repeat(30));
  assert.ok(await client.response(30));
  plane.load.heapShare = HEAP_FOR[roomFor];
  plane.advance(20);
  plane.load.measured();
}

async function statuses(plane: Plane): Promise<(number | undefined)[]> {
  const found: (number | undefined)[] = [];
  for (const priority of PRIORITIES) found.push(await ask(await plane.connect(), `/${priority}`));
  return found;
}

async function ask(client: RawClient, path: string): Promise<number | undefined> {
  client.send(get(path));
  const answer = await client.response(client.responses.length + 1);
  return answer === undefined ? undefined : statusOf(answer);
}

const TABLE: readonly (readonly [roomFor: 0 | 1 | 2 | 3 | 4, expected: readonly number[]])[] = [
  [0, [503, 503, 503, 503]],
  [1, [200, 503, 503, 503]],
  [2, [200, 200, 503, 503]],
  [3, [200, 200, 200, 503]],
  [4, [200, 200, 200, 200]],
];

describe('more to do than there is room for', () => {
  for (const [roomFor, expected] of TABLE) {
    stage(`refuses by priority: room for ${roomFor}`, parts, { answer: ok() }, async ({ plane }) => {
      await busy(plane, roomFor);
      assert.deepEqual(await statuses(plane), expected);
    });
  }

  stage(
    'says what it is, when to come again, and keeps a record',
    parts,
    { answer: ok() },
    async ({ plane }) => {
      await busy(plane, 3);
      const client = await plane.send(get('/low'));
      const answer = (await client.response()) ?? assert.fail();
      assert.equal(JSON.parse(answer.body.toString()).code, 'overloaded');
      assert.deepEqual(values(answer, 'retry-after'), ['3']);
      const record = (await plane.recorded(31))[30];
      assert.deepEqual([record.route, record.status, record.error], ['low', 503, 'overloaded']);
      assert.equal(plane.meter.counts.get('sallyport_requests_shed_total{listener=l,priority=low}'), 1);
      assert.equal(await ask(client, '/high'), 200, 'and its connection is kept');
      assert.deepEqual(plane.logged, ['overload-began']);
    },
  );

  stage(
    'never asks a policy about who is refused',
    {
      overload: OVERLOAD,
      route: { priority: 'low' },
      policies: [{ policy: { request: counted } }],
    },
    { answer: ok() },
    async ({ plane }) => {
      const many = await plane.send(get('/').repeat(30));
      assert.ok(await many.response(30));
      plane.load.heapShare = 0.91;
      plane.advance(20);
      plane.load.measured();
      const before = asked;
      assert.equal(await ask(await plane.connect(), '/'), 503);
      assert.equal(asked, before);
    },
  );

  stage('counts what no route takes as the least important', parts, { answer: ok() }, async ({ plane }) => {
    await busy(plane, 3);
    assert.equal(await ask(await plane.connect(), '/nowhere'), 503);
  });

  stage('serves again when there is room', parts, { answer: ok() }, async ({ plane }) => {
    await busy(plane, 1);
    assert.deepEqual(await statuses(plane), [200, 503, 503, 503]);
    plane.load.heapShare = 0.5;
    for (const _ of [1, 2, 3]) {
      plane.advance(1100);
      plane.load.measured();
    }
    assert.deepEqual(await statuses(plane), [200, 200, 200, 200]);
    assert.deepEqual(plane.logged, ['overload-began', 'overload-ended']);
  });

  stage(
    'refuses nobody where the document says off',
    { listener: { router: routes() } },
    { answer: ok() },
    async ({ plane }) => {
      await busy(plane, 0);
      assert.deepEqual(await statuses(plane), [200, 200, 200, 200]);
    },
  );

  stage(
    'stops refusing with a revision that says off',
    parts,
    { answer: ok() },
    async ({ plane, upstream }) => {
      await busy(plane, 0);
      assert.equal(await ask(await plane.connect(), '/low'), 503);
      await plane.reload({ revision: 'b', targets: [upstream.port], listener: { router: routes() } });
      assert.equal(await ask(await plane.connect(), '/low'), 200);
    },
  );

  stage(
    'by a late event loop: the less important, the more of them',
    // A proxy's connections are always read: each of them is to be answered in its round.
    { ...parts, listener: { ...parts.listener, trusts: () => true } },
    { answer: ok() },
    async ({ plane }) => {
      plane.load.lagMs = 80;
      plane.load.turnMs = 80;
      const served = await rounds(plane, 40, 6);
      const [critical, high, normal, low] = served;
      assert.ok(critical > 220 && critical > high && high > normal, `${served}`);
      assert.ok(low < 60, `${served}`);
      assert.deepEqual(plane.logged, ['overload-began']);
    },
  );

  type FalseAlarm = readonly [what: string, load: Partial<Plane['load']>, each: number];
  const FALSE_ALARMS: readonly FalseAlarm[] = [
    ['bursts of eight, and a loop that is very late', { lagMs: 1066, turnMs: 1066 }, 2],
    [
      'bursts of eight, and others have the core',
      { lagMs: 1066, turnMs: 1066, cpuShare: 0.1, threadShare: 0.1 },
      2,
    ],
    [
      'many, and others have the core for a while',
      { lagMs: 112, turnMs: 112, cpuShare: 0.3, threadShare: 0.3 },
      6,
    ],
  ];
  for (const [what, load, each] of FALSE_ALARMS) {
    stage(`refuses nobody for ${what}`, parts, { answer: ok() }, async ({ plane }) => {
      Object.assign(plane.load, load);
      assert.deepEqual(
        await rounds(plane, 20, each, 100),
        PRIORITIES.map(() => 20 * each),
      );
      assert.deepEqual(plane.logged, []);
    });
  }
});

/** In each round so many requests of each priority at once, after the first second of a worker; how many were served. */
async function rounds(plane: Plane, many: number, each: number, everyMs = 20): Promise<number[]> {
  plane.advance(1000);
  plane.load.measured();
  const served = PRIORITIES.map(() => 0);
  const clients: { readonly rank: number; readonly client: RawClient }[] = [];
  for (let i = 0; i < each; i++)
    for (const rank of PRIORITIES.keys()) clients.push({ rank, client: await plane.connect() });
  for (let round = 0; round < many; round++) {
    const asked = clients.map(async ({ rank, client }) => {
      if ((await ask(client, `/${PRIORITIES[rank]}`)) === 200) served[rank]++;
    });
    await Promise.all(asked);
    plane.advance(everyMs);
    plane.load.measured();
  }
  return served;
}

/** Refuses so many in one moment that connections are left alone. */
async function flood(plane: Plane): Promise<void> {
  await busy(plane, 3);
  const client = await plane.send(get('/low').repeat(300));
  assert.ok(await client.response(300));
  plane.load.measured();
  const more = await plane.send(get('/critical').repeat(30));
  assert.ok(await more.response(30));
}

describe('a connection whose requests are refused by the hundred', () => {
  stage('is not read until its client was to come again', parts, { answer: ok() }, async ({ plane }) => {
    await flood(plane);
    const client = await plane.send(get('/low') + get('/critical'));
    assert.ok(await client.response());
    client.send(get('/critical'));
    assert.equal(await ask(await plane.connect(), '/critical'), 200, 'others go on');
    assert.deepEqual(client.responses.map(statusOf), [503]);
    plane.advance(1000);
    plane.load.measured();
    assert.ok(await client.response(3), 'what is important is served, late as it is');
    assert.deepEqual(client.responses.map(statusOf), [503, 200, 200]);
  });

  stage(
    'has what it sent meanwhile refused, and then another chance',
    parts,
    { answer: ok() },
    async ({ plane }) => {
      await flood(plane);
      const client = await plane.send(get('/low') + get('/low'));
      assert.ok(await client.response());
      plane.advance(500);
      plane.load.measured();
      const other = await plane.send(get('/critical').repeat(2) + get('/low'));
      assert.ok(await other.response(3));
      assert.deepEqual(other.responses.map(statusOf), [200, 200, 503]);
      plane.load.heapShare = 0;
      assert.equal(client.responses.length, 1);
      plane.advance(500);
      plane.load.measured();
      assert.ok(await client.response(2));
      assert.deepEqual(client.responses.map(statusOf), [503, 503], 'it was sent too early');
      plane.load.measured();
      plane.load.measured();
      assert.equal(await ask(client, '/low'), 200);
    },
  );

  stage(
    'is read all the same when it is a proxy’s: it carries others too',
    { ...parts, listener: { ...parts.listener, trusts: () => true } },
    { answer: ok() },
    async ({ plane }) => {
      await flood(plane);
      const client = await plane.send(get('/low') + get('/critical'));
      assert.ok(await client.response(2));
      assert.deepEqual(client.responses.map(statusOf), [503, 200]);
    },
  );

  stage('ends with its listener, and with its client', parts, { answer: ok() }, async ({ plane }) => {
    await flood(plane);
    const left = await plane.send(get('/low'));
    assert.ok(await left.response());
    left.close();
    const stays = await plane.send(get('/low'));
    assert.ok(await stays.response());
    plane.advance(1000);
    plane.load.measured();
    await settled(() => plane.dataPlane.openConnections < 5, 'the client that left is forgotten');
  });
});
