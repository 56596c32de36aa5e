import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HandSnapshot } from '../../test/fixtures/data-plane.ts';
import { NO_STATE, NOBODY_THERE } from '../../test/fixtures/nobody-there.ts';
import { identity, policyContext } from '../../test/fixtures/policy-context.ts';
import {
  type Attachment,
  CONTINUE,
  type Identity,
  type Member,
  type Policy,
  reject,
} from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';
import { makeAttachment, makePipeline } from './attachment.ts';
import { BufferedBody } from './body.ts';
import { Evaluation } from './evaluation.ts';
import { LaterPhases } from './later-phases.ts';
import { buildRouter } from './router.ts';
import { Trial } from './trial.ts';

const DEPS = {
  clock: { now: () => 7, monotonic: () => 0 },
  random: { hex: () => '' },
  state: NO_STATE,
  ...NOBODY_THERE,
};

type More = Partial<Pick<Attachment, 'mode' | 'when' | 'body' | 'authenticates'>>;

const attach = (name: string, instance: Policy, more: More = {}): Attachment =>
  makeAttachment({
    id: `route:r/${name}`,
    policy: name,
    mode: 'enforce',
    onError: 'reject',
    when: undefined,
    body: 'none',
    authenticates: false,
    ...more,
    instance,
  });

function evaluation(attachments: readonly Attachment[], caller?: Identity): Evaluation {
  const [plan] = new HandSnapshot({ targets: [1] }).listeners;
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
  const router = buildRouter([{ route, hosts: [], paths: ['/**'], methods: [], headers: {} }]);
  return new Evaluation({ ...plan, router, pipeline }, policyContext().request, DEPS, caller);
}

/** Proves that ann calls, and notes that it was asked. */
const login = (log: string[], more: Partial<Policy> = {}): Policy => ({
  request: (c) => {
    log.push('login');
    c.provide('identity', identity({ consumer: 'ann' }));
    c.edits.removeRequestHeader('x-key');
    return CONTINUE;
  },
  ...more,
});
const see = (seen: unknown[]): Policy => ({
  request: (c) => {
    seen.push(c.facts.identity?.consumer);
    return CONTINUE;
  },
});
const no: Policy = { request: () => reject(new PolicyRejection('forbidden', 'No.')) };
const AUTHENTICATES = { authenticates: true };
const BEN = identity({ consumer: 'ben', groups: ['staff'] });

describe('a caller who is known without a credential', () => {
  it('is taken as proved where a policy would have asked for proof, and that is not asked', async () => {
    const [log, seen]: [string[], unknown[]] = [[], []];
    const judged = evaluation(
      [attach('a', see(seen)), attach('login', login(log), AUTHENTICATES), attach('b', see(seen))],
      BEN,
    );
    assert.equal((await judged.runRequest()).kind, 'forward');
    assert.deepEqual(log, []);
    assert.deepEqual(seen, [undefined, 'ben']);
    assert.equal(judged.facts.identity, BEN);
    assert.deepEqual(judged.edits.requestEdits, []);
    assert.deepEqual(
      judged.entries.map(({ policy, outcome }) => [policy, outcome]),
      [
        ['a', 'continue'],
        ['login', 'continue'],
        ['b', 'continue'],
      ],
    );
  });

  it('is nobody where no policy asks for proof', async () => {
    const seen: unknown[] = [];
    const judged = evaluation([attach('a', see(seen))], BEN);
    await judged.runRequest();
    assert.deepEqual([seen, judged.facts.identity], [[undefined], undefined]);
  });

  it('is nobody where the policy does not apply', async () => {
    const judged = evaluation([attach('login', login([]), { ...AUTHENTICATES, when: () => false })], BEN);
    await judged.runRequest();
    assert.equal(judged.facts.identity, undefined);
    assert.deepEqual(
      judged.entries.map(({ outcome }) => outcome),
      ['skipped'],
    );
  });

  it('is seen by shadow alone where the policy is in shadow', async () => {
    const [live, shadow]: unknown[][] = [[], []];
    const judged = evaluation(
      [
        attach('login', login([]), { ...AUTHENTICATES, mode: 'shadow' }),
        attach('a', see(live)),
        attach('b', see(shadow), { mode: 'shadow' }),
      ],
      BEN,
    );
    await judged.runRequest();
    assert.deepEqual([live, shadow], [[undefined], ['ben']]);
  });

  it('has to get past every other policy', async () => {
    const judged = evaluation([attach('login', login([]), AUTHENTICATES), attach('acl', no)], BEN);
    const verdict = await judged.runRequest();
    assert.ok(verdict.kind === 'reject' && verdict.by?.policy === 'acl');
  });

  it('needs no body read for a proof, and no answer changed by one', async () => {
    const log: string[] = [];
    const phase = (name: string) => () => {
      log.push(name);
      return CONTINUE;
    };
    const more = { requestBody: phase('body'), response: phase('response') };
    for (const wants of [undefined, true]) {
      const wantsBody = wants === undefined ? {} : { wantsBody: () => wants };
      const policy = login(log, { ...more, ...wantsBody });
      const judged = evaluation([attach('login', policy, { ...AUTHENTICATES, body: 'buffer' })], BEN);
      await judged.runRequest();
      assert.equal(judged.buffersBody, false);
      await judged.runResponse({ status: 200, headers: judged.request.headers });
      assert.equal(judged.facts.identity, BEN);
    }
    assert.deepEqual(log, []);
  });
});

describe('whether a body is buffered', () => {
  const body = (wants?: boolean): Policy => ({
    request: () => CONTINUE,
    requestBody: () => CONTINUE,
    ...(wants === undefined ? {} : { wantsBody: () => wants }),
  });
  const BUFFER = { body: 'buffer' } as const;
  const cases: [name: string, attachments: Attachment[], buffers: boolean][] = [
    ['no: nothing attached', [], false],
    ['no: nobody reads one', [attach('a', { request: () => CONTINUE })], false],
    ['no: with this config it reads none', [attach('a', body())], false],
    ['no: it wants none of this request', [attach('a', body(false), BUFFER)], false],
    ['no: it does not apply', [attach('a', body(), { ...BUFFER, when: () => false })], false],
    [
      'no: it does not apply, and is not asked',
      [attach('a', body(true), { ...BUFFER, when: () => false })],
      false,
    ],
    ['yes: it says nothing of it', [attach('a', body(), BUFFER)], true],
    ['yes: it says so', [attach('a', body(true), BUFFER)], true],
    ['yes: one of two says so', [attach('a', body(false), BUFFER), attach('b', body(true), BUFFER)], true],
    ['yes: in shadow too', [attach('a', body(true), { ...BUFFER, mode: 'shadow' })], true],
  ];
  for (const [name, attachments, buffers] of cases) {
    it(name, async () => {
      const judged = evaluation(attachments);
      await judged.runRequest();
      assert.equal(judged.buffersBody, buffers);
    });
  }

  it('is asked with what the request phase has shown', async () => {
    const wantsBody: Policy['wantsBody'] = (c) => c.facts.identity?.consumer === 'ann';
    const judged = evaluation([
      attach('a', { ...body(), wantsBody }, BUFFER),
      attach('login', login([]), AUTHENTICATES),
    ]);
    await judged.runRequest();
    assert.equal(judged.buffersBody, true);
  });
});

describe('a policy made of members', () => {
  /** Tries its members in order, as any-of does. */
  function first(members: readonly Member[]): Policy {
    const later = new LaterPhases(members);
    return {
      request(c) {
        for (const member of members) {
          const trial = new Trial(c);
          const decision = member.instance.request?.(trial);
          if (decision instanceof Promise || decision?.kind !== 'continue') continue;
          trial.take();
          later.takePart(c, [{ member, context: trial }]);
          return { kind: 'continue', rule: member.name };
        }
        return reject(new PolicyRejection('unauthenticated', 'Who?'));
      },
      ...later.phases,
    };
  }
  const member = (name: string, instance: Policy): Member => ({
    name,
    policy: name,
    when: undefined,
    body: 'none',
    instance,
  });
  const asking = (name: string, then: Policy['request']): Policy => ({
    request: (c) => {
      c.provide('identity', identity({ consumer: name }));
      c.edits.setRequestHeader('X-Who', name);
      c.edits.removeRequestHeader(name);
      c.edits.removeRequestCookie(name);
      c.edits.removeQueryParameter(name);
      c.edits.setResponseHeader('X-Who', name);
      c.edits.appendResponseHeader('X-Ways', name);
      c.edits.removeResponseHeader(name);
      return then?.(c) ?? CONTINUE;
    },
  });

  it('asks for what its winner asks for, and tells which that was', async () => {
    const policy = first([member('a', asking('a', no.request)), member('b', asking('b', undefined))]);
    const judged = evaluation([attach('ways', policy)]);
    assert.equal((await judged.runRequest()).kind, 'forward');
    assert.deepEqual(judged.entries[0], {
      attachment: 'route:r/ways',
      policy: 'ways',
      mode: 'enforce',
      phase: 'request',
      outcome: 'continue',
      rule: 'b',
    });
    assert.equal(judged.facts.identity?.consumer, 'b');
    const { requestEdits, responseEdits, removedParameters } = judged.edits;
    assert.deepEqual(requestEdits, ['set', 'X-Who', 'b', 'remove', 'b', '', 'remove-cookie', 'cookie', 'b']);
    assert.deepEqual(responseEdits, ['set', 'X-Who', 'b', 'append', 'X-Ways', 'b', 'remove', 'b', '']);
    assert.deepEqual(removedParameters, ['b']);
  });

  it('leaves nothing where none wins, and nothing of one in shadow', async () => {
    for (const mode of ['enforce', 'shadow'] as const) {
      const loser = member('a', asking('a', no.request));
      const winner = member('b', asking('b', undefined));
      const members = mode === 'enforce' ? [loser] : [loser, winner];
      const judged = evaluation([attach('ways', first(members), { mode })]);
      await judged.runRequest();
      assert.equal(judged.facts.identity, undefined);
      assert.deepEqual([...judged.edits.requestEdits, ...judged.edits.responseEdits], []);
    }
  });

  it('lets the later phases of its winner edit as those of any policy', async () => {
    const instance: Policy = {
      ...asking('b', undefined),
      requestBody: (c) => {
        c.edits.setRequestHeader('X-Digest', 'ok');
        c.provide('identity', identity({ consumer: `${c.facts.identity?.consumer}, signed` }));
        return CONTINUE;
      },
    };
    const way = { ...member('b', instance), body: 'buffer' } as const;
    const judged = evaluation([attach('ways', first([way]), { body: 'buffer' })]);
    await judged.runRequest();
    assert.equal(judged.buffersBody, true);
    await judged.runRequestBody(new BufferedBody(Buffer.from('')));
    assert.equal(judged.facts.identity?.consumer, 'b, signed');
    assert.deepEqual(judged.edits.requestEdits.slice(-3), ['set', 'X-Digest', 'ok']);
  });

  it('refuses an edit that would split a head before the member can win', () => {
    const split: Policy = {
      request: (c) => {
        c.edits.setRequestHeader('X', 'a\r\nY: b');
        return CONTINUE;
      },
    };
    const judged = evaluation([]);
    assert.throws(() => split.request?.(new Trial(judged)), TypeError);
    assert.deepEqual(judged.edits.requestEdits, []);
  });
});
