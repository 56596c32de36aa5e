import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_STATE, NOBODY_THERE } from '../../test/fixtures/nobody-there.ts';
import { ipv4 } from '../../test/fixtures/policy-context.ts';
import {
  type Attachment,
  CONTINUE,
  type Decision,
  type DecisionEntry,
  type ListenerPlan,
  type Policy,
  type PolicyContext,
  type RequestView,
  reject,
  respond,
} from '../contract/index.ts';
import { PolicyFailure, PolicyRejection } from '../errors.ts';
import { HeaderList } from '../lib/header-list.ts';
import { makeAttachment, makePipeline } from './attachment.ts';
import { BufferedBody } from './body.ts';
import { Evaluation, type Verdict } from './evaluation.ts';
import { buildRouter } from './router.ts';

type More = Partial<Pick<Attachment, 'mode' | 'onError' | 'when' | 'body'>>;

const DENIED = new PolicyRejection('forbidden', 'No.', { rule: 'r1', reason: 'private words' });
const WHO = { consumer: 'ann', groups: [], scopes: [], claims: {} };
const DEPS = {
  clock: { now: () => 7, monotonic: () => 0 },
  random: { hex: () => '' },
  state: NO_STATE,
  ...NOBODY_THERE,
};

function attach(name: string, instance: Policy, more: More = {}): Attachment {
  const parts = {
    id: `route:r/${name}`,
    policy: name,
    mode: 'enforce',
    onError: 'reject',
    when: undefined,
    authenticates: false,
  } as const;
  return makeAttachment({ ...parts, body: 'none', ...more, instance });
}

function listener(attachments: readonly Attachment[], methods: readonly string[] = []): ListenerPlan {
  const pipeline = makePipeline(attachments);
  const route = {
    name: 'r',
    index: 0,
    pipeline,
    upstream: 'u',
    priority: 'normal' as const,
    maxBodyBytes: undefined,
    upgrade: false,
  };
  return {
    name: 'l',
    host: '127.0.0.1',
    port: 0,
    tls: undefined,
    proxyProtocol: false,
    trusts: () => false,
    limits: {
      headerBytes: 1,
      headers: 1,
      targetBytes: 1,
      bodyBytes: 1,
      headerTimeoutMs: 1,
      bodyTimeoutMs: 1,
      idleTimeoutMs: 1,
      writeTimeoutMs: 1,
      connections: 1,
      minBodyBytesPerSecond: 0,
      newConnections: undefined,
      newConnectionsPerAddress: undefined,
      connectionsPerAddress: 1,
    },
    revisionHeader: false,
    encodedSlashes: 'reject',
    semicolons: 'reject',
    underscoreHeaders: 'reject',
    methodOverride: 'reject',
    router: buildRouter([{ route, hosts: [], paths: ['/a'], methods, headers: {} }]),
    pipeline,
  };
}

const view = (more: Partial<RequestView> = {}): RequestView => ({
  id: 'id',
  method: 'GET',
  scheme: 'http',
  host: 'h',
  authority: 'h',
  target: '/a',
  path: '/a',
  query: '',
  headers: new HeaderList(),
  httpVersion: '1.1',
  client: ipv4('192.0.2.1'),
  peer: ipv4('192.0.2.1'),
  certificate: undefined,
  ...more,
});

const evaluation = (...attachments: Attachment[]): Evaluation =>
  new Evaluation(listener(attachments), view(), DEPS);

const brief = (entry: DecisionEntry): string => `${entry.policy} ${entry.phase} ${entry.outcome}`;

function told(verdict: Verdict): string {
  if (verdict.kind === 'forward') return 'forward';
  if (verdict.kind === 'respond') return `respond ${verdict.response.status} by ${verdict.by?.policy}`;
  return `${verdict.error.code} by ${verdict.by?.policy}`;
}

const yes: Policy = { request: () => CONTINUE };
const no: Policy = { request: () => reject(DENIED) };
const own: Policy = { request: () => respond({ status: 204, headers: ['X-A', '1'], body: '' }) };
const throwing: Policy = {
  request: () => {
    throw new Error('broke');
  },
};
const unsure: Policy = {
  request: () => {
    throw new PolicyFailure('identity-unavailable', 'Later.', 'the issuer does not answer');
  },
};
/** Does something, then gives its answer. */
function after<T>(_done: unknown, answer: T): T {
  return answer;
}
const later = (policy: Policy): Policy => ({
  request: async (c) => {
    await Promise.resolve();
    return (await policy.request?.(c)) ?? CONTINUE;
  },
});
/** What a policy written without types may give. */
const untyped = (value: unknown): Policy => {
  const policy: { request: () => Decision } = { request: () => CONTINUE };
  Object.assign(policy, { request: () => value });
  return policy;
};

describe('the verdict and its entries', () => {
  const broken = 'a request error';
  const cases: [name: string, attachments: Attachment[], verdict: string, entries: string[]][] = [
    ['nothing attached', [], 'forward', []],
    [
      'in the order written',
      [attach('a', yes), attach('b', yes)],
      'forward',
      ['a request continue', 'b request continue'],
    ],
    [
      'the first refusal ends it',
      [attach('a', yes), attach('b', no), attach('c', yes)],
      'forbidden by b',
      ['a request continue', 'b request reject'],
    ],
    ['so does an answer', [attach('a', own), attach('b', no)], 'respond 204 by a', ['a request respond']],
    [
      'shadow never acts',
      [attach('a', no, { mode: 'shadow' }), attach('b', own, { mode: 'shadow' }), attach('c', yes)],
      'forward',
      ['a request reject', 'b request respond', 'c request continue'],
    ],
    ['when: true', [attach('a', no, { when: () => true })], 'forbidden by a', ['a request reject']],
    ['when: false', [attach('a', no, { when: () => false })], 'forward', ['a request skipped']],
    ['when: undecided', [attach('a', yes, { when: () => assert.fail() })], 'policy-failed by a', [broken]],
    [
      'when: undecided, may go on',
      [attach('a', no, { when: () => assert.fail(), onError: 'continue' })],
      'forward',
      [broken],
    ],
    [
      'when: undecided in shadow',
      [attach('a', no, { when: () => assert.fail(), mode: 'shadow' })],
      'forward',
      [broken],
    ],
    ['throws', [attach('a', throwing), attach('b', yes)], 'policy-failed by a', [broken]],
    [
      'throws, may go on',
      [attach('a', throwing, { onError: 'continue' }), attach('b', yes)],
      'forward',
      [broken, 'b request continue'],
    ],
    ['says why it cannot decide', [attach('a', unsure)], 'identity-unavailable by a', [broken]],
    [
      'says why it cannot decide, may go on',
      [attach('a', unsure, { onError: 'continue' })],
      'forward',
      [broken],
    ],
    ['says why it cannot decide in shadow', [attach('a', unsure, { mode: 'shadow' })], 'forward', [broken]],
    ['throws in shadow', [attach('a', throwing, { mode: 'shadow' })], 'forward', [broken]],
    ['returns nothing', [attach('a', untyped(undefined))], 'policy-failed by a', [broken]],
    ['returns null', [attach('a', untyped(null))], 'policy-failed by a', [broken]],
    ['returns true', [attach('a', untyped(true))], 'policy-failed by a', [broken]],
    ['returns another kind', [attach('a', untyped({ kind: 'allow' }))], 'policy-failed by a', [broken]],
    ['resolves to nothing', [attach('a', untyped(Promise.resolve()))], 'policy-failed by a', [broken]],
    [
      'splits the head of its answer',
      [attach('a', { request: () => respond({ status: 200, headers: ['X', 'a\r\nY: b'], body: '' }) })],
      'policy-failed by a',
      [broken],
    ],
    [
      'frames its answer',
      [attach('a', { request: () => respond({ status: 200, headers: ['Content-Length', '9'], body: '' }) })],
      'policy-failed by a',
      [broken],
    ],
    [
      'splits the head of its refusal',
      [
        attach('a', {
          request: () => reject(new PolicyRejection('forbidden', '', { headers: ['X', '\u010dY'] })),
        }),
      ],
      'policy-failed by a',
      [broken],
    ],
  ];
  for (const [name, attachments, verdict, entries] of cases) {
    it(name, async () => {
      const judged = evaluation(...attachments);
      assert.equal(told(await judged.runRequest()), verdict);
      assert.deepEqual(judged.entries.map(brief), entries);
    });
    if (/^re(turns|solves)/.test(name)) continue;
    it(`${name}, asynchronously`, async () => {
      const judged = evaluation(...attachments.map((a) => attach(a.policy, later(a.instance), a)));
      assert.equal(told(await judged.runRequest()), verdict);
      assert.deepEqual(judged.entries.map(brief), entries);
    });
  }
  it('no promise where no policy makes one', () => {
    assert.ok(!(evaluation(attach('a', yes), attach('b', yes)).runRequest() instanceof Promise));
  });
  it('an entry tells code, rule and reason; a refusal tells the client only its detail', async () => {
    const judged = evaluation(attach('a', no));
    const verdict = await judged.runRequest();
    assert.deepEqual(
      { ...judged.entries[0] },
      {
        attachment: 'route:r/a',
        policy: 'a',
        mode: 'enforce',
        phase: 'request',
        outcome: 'reject',
        code: 'forbidden',
        rule: 'r1',
        reason: 'private words',
      },
    );
    assert.ok(verdict.kind === 'reject' && !verdict.error.detail.includes('private'));
  });
  it('a policy that cannot decide is recorded with its own code', async () => {
    const judged = evaluation(attach('a', unsure));
    const verdict = await judged.runRequest();
    const [{ code, reason }] = judged.entries;
    assert.deepEqual(
      { code, reason },
      { code: 'identity-unavailable', reason: 'the issuer does not answer' },
    );
    assert.ok(verdict.kind === 'reject' && verdict.error.detail === 'Later.');
  });
});

describe('phases', () => {
  const all = (answer: Decision, log: string[]): Policy => ({
    request: () => after(log.push('request'), CONTINUE),
    requestBody: (_, body) => after(log.push(body.text()), answer),
    response: (_, head) => after(log.push(String(head.status)), answer),
  });
  const head = { status: 200, headers: new HeaderList() };
  it('each in its turn', async () => {
    const log: string[] = [];
    const judged = evaluation(attach('a', all(reject(DENIED), log), { body: 'buffer' }));
    assert.equal(told(await judged.runRequest()), 'forward');
    assert.equal(told(await judged.runRequestBody(new BufferedBody(Buffer.from('body')))), 'forbidden by a');
    assert.equal(told(await judged.runResponse(head)), 'forbidden by a');
    assert.deepEqual(log, ['request', 'body', '200']);
  });
  for (const [name, more] of [
    ['false', { when: () => false }],
    ['undecided', { when: () => assert.fail(), onError: 'continue' }],
  ] as const) {
    it(`when: ${name} holds for every phase`, async () => {
      const log: string[] = [];
      const judged = evaluation(attach('a', all(reject(DENIED), log), { ...more, body: 'buffer' }));
      await judged.runRequest();
      assert.equal(told(await judged.runRequestBody(new BufferedBody(Buffer.from('')))), 'forward');
      assert.equal(told(await judged.runResponse(head)), 'forward');
      assert.deepEqual(log, []);
    });
  }
  it('when is asked once', async () => {
    let asked = 0;
    const judged = evaluation(attach('a', all(CONTINUE, []), { when: () => ++asked === 1 }));
    await judged.runRequest();
    await judged.runResponse(head);
    assert.equal(asked, 1);
  });
});

describe('edits and facts', () => {
  const edit = (name: string, after: () => Decision = () => CONTINUE): Policy => ({
    request: (c) => {
      c.edits.setRequestHeader(name, 'v');
      c.edits.setResponseHeader(name, 'v');
      c.provide('identity', { ...WHO, consumer: name });
      return after();
    },
  });
  const fail = (): Decision => assert.fail('broke');
  const see = (seen: unknown[]): Policy => ({
    request: (c) => after(seen.push(c.facts.identity?.consumer), CONTINUE),
  });

  it('of a policy that says why it cannot decide, edits stand and facts do not', async () => {
    const seen: unknown[] = [];
    const cannot = (): Decision => {
      throw new PolicyFailure('identity-unavailable', '', 'later');
    };
    const judged = evaluation(
      attach('a', edit('A', cannot), { onError: 'continue' }),
      attach('b', edit('B', cannot), { onError: 'continue', mode: 'shadow' }),
      attach('c', see(seen)),
    );
    assert.equal(told(await judged.runRequest()), 'forward');
    assert.deepEqual([...judged.edits.requestEdits], ['set', 'A', 'v']);
    assert.deepEqual(seen, [undefined]);
  });

  for (const wrap of [(p: Policy) => p, later]) {
    it(`a failing policy's are taken back${wrap === later ? ', asynchronously' : ''}`, async () => {
      const seen: unknown[] = [];
      const judged = evaluation(
        attach('a', wrap(edit('A'))),
        attach('b', wrap(edit('B', fail)), { onError: 'continue' }),
        attach('c', wrap(see(seen))),
      );
      assert.equal(told(await judged.runRequest()), 'forward');
      assert.deepEqual(
        [judged.edits.requestEdits, judged.edits.responseEdits],
        [
          ['set', 'A', 'v'],
          ['set', 'A', 'v'],
        ],
      );
      assert.deepEqual([seen, judged.facts.identity?.consumer], [['A'], 'A']);
    });
  }
  it('what a failing policy vouches for is nobody else’s to say', async () => {
    const request = () => assert.fail('broke');
    const undecided = { when: () => assert.fail('undecided'), onError: 'continue' } as const;
    for (const more of [{ onError: 'continue' } as const, undecided]) {
      const judged = evaluation(attach('a', { request, vouchesFor: ['x-user'] }, more));
      assert.equal(told(await judged.runRequest()), 'forward');
      assert.deepEqual([...judged.edits.requestEdits], ['remove', 'x-user', '']);
    }
  });
  it('an edit that would split the head fails its policy', async () => {
    const bad: Policy = { request: (c) => after(c.edits.setRequestHeader('X', 'a\r\nY: b'), CONTINUE) };
    const judged = evaluation(attach('a', bad));
    assert.equal(told(await judged.runRequest()), 'policy-failed by a');
    assert.deepEqual(judged.edits.requestEdits, []);
  });
  it('shadow leaks nothing into live; shadow sees shadow', async () => {
    const [live, shadow]: unknown[][] = [[], []];
    const judged = evaluation(
      attach('a', edit('A'), { mode: 'shadow' }),
      attach('b', see(live)),
      attach('c', see(shadow), { mode: 'shadow' }),
      attach('d', edit('D', fail), { mode: 'shadow' }),
      attach('e', see(shadow), { mode: 'shadow' }),
      attach('f', edit('F')),
      attach('g', see(live)),
    );
    await judged.runRequest();
    assert.deepEqual(live, [undefined, 'F']);
    assert.deepEqual(shadow, ['A', 'A']);
    assert.deepEqual(judged.edits.requestEdits, ['set', 'F', 'v']);
    assert.equal(judged.facts.identity?.consumer, 'F');
  });
  it('what a condition sees is what its mode sees', async () => {
    const when = (c: PolicyContext) => c.facts.identity !== undefined;
    const judged = evaluation(
      attach('a', edit('A'), { mode: 'shadow' }),
      attach('b', no, { when }),
      attach('c', no, { when, mode: 'shadow' }),
    );
    assert.equal(told(await judged.runRequest()), 'forward');
    assert.deepEqual(judged.entries.map(brief).slice(1), ['b request skipped', 'c request reject']);
  });
});

describe('a streamed answer, piece by piece', () => {
  const upper: Policy = {
    responseChunk: (_, b) => ({
      kind: 'replace',
      bytes: Buffer.from(Buffer.from(b).toString().toUpperCase()),
    }),
  };
  const abort: Policy = { responseChunk: () => ({ kind: 'abort', error: DENIED }) };
  const broken: Policy = { responseChunk: () => assert.fail('broke') };
  const same: Policy = { responseChunk: () => CONTINUE };
  const drop: Policy = { responseChunk: () => ({ kind: 'replace', bytes: new Uint8Array() }) };
  const cases: [name: string, attachments: Attachment[], outcome: string, entries: string[]][] = [
    ['untouched', [attach('a', same)], 'continue', []],
    ['replaced', [attach('a', upper), attach('b', same)], 'replace XY', []],
    ['replaced by nothing', [attach('a', drop)], 'replace ', []],
    ['aborted', [attach('a', upper), attach('b', abort)], 'abort forbidden', ['b responseChunk reject']],
    ['shadow changes nothing', [attach('a', upper, { mode: 'shadow' })], 'continue', []],
    [
      'shadow would have ended it once',
      [attach('a', abort, { mode: 'shadow' })],
      'continue',
      ['a responseChunk reject'],
    ],
    ['failed', [attach('a', broken)], 'abort policy-failed', ['a responseChunk error']],
    [
      'failed, may go on: one entry',
      [attach('a', broken, { onError: 'continue' })],
      'continue',
      ['a responseChunk error'],
    ],
    [
      'failed in shadow: one entry',
      [attach('a', broken, { mode: 'shadow' })],
      'continue',
      ['a responseChunk error'],
    ],
    ['does not apply', [attach('a', abort, { when: () => false })], 'continue', ['a request skipped']],
  ];
  for (const [name, attachments, outcome, entries] of cases) {
    it(name, async () => {
      const judged = evaluation(...attachments);
      const ask = async () => {
        const decision = await judged.runResponseChunk(Buffer.from('xy'));
        if (decision.kind === 'replace') return `replace ${Buffer.from(decision.bytes)}`;
        return decision.kind === 'abort' ? `abort ${decision.error.code}` : decision.kind;
      };
      assert.equal(await ask(), outcome);
      if (!outcome.startsWith('abort')) for (let i = 0; i < 5; i++) assert.equal(await ask(), outcome);
      assert.deepEqual(judged.entries.map(brief), entries);
    });
  }
});

describe('requests without a route', () => {
  const preflight = new HeaderList(['Origin', 'https://o', 'Access-Control-Request-Method', 'POST']);
  const cases: [
    name: string,
    request: Partial<RequestView>,
    attachment: Attachment,
    verdict: string,
    allow?: string,
  ][] = [
    ['no path', { path: '/z' }, attach('a', yes), 'no-route by undefined'],
    ['no path, but the listener refuses first', { path: '/z' }, attach('a', no), 'forbidden by a'],
    ['no method', { method: 'PUT' }, attach('a', yes), 'method-not-allowed by undefined', 'POST'],
    [
      'preflight answered by the route',
      { method: 'OPTIONS', headers: preflight },
      attach('a', own),
      'respond 204 by a',
    ],
    [
      'preflight nobody answers',
      { method: 'OPTIONS', headers: preflight },
      attach('a', yes),
      'method-not-allowed by undefined',
      'POST',
    ],
    [
      'preflight without an origin',
      { method: 'OPTIONS', headers: new HeaderList(['Access-Control-Request-Method', 'POST']) },
      attach('a', yes),
      'method-not-allowed by undefined',
      'POST',
    ],
  ];
  for (const [name, request, attachment, verdict, allow] of cases) {
    it(name, async () => {
      const judged = new Evaluation(listener([attachment], ['POST']), view(request), DEPS);
      const result = await judged.runRequest();
      assert.equal(told(result), verdict);
      if (allow !== undefined)
        assert.deepEqual(result.kind === 'reject' && result.error.headers, ['Allow', allow]);
    });
  }
});
