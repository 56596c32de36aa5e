/** How a change of rules goes live, and how it does not, as a user meets it: with callers that never stop. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort } from '../../test/fixtures/gateway.ts';
import { eventually, Program, temporaryFolder } from '../../test/fixtures/process.ts';
import { type Answer, type Caller, Traffic, Warehouse } from './cast.ts';

const folder = await temporaryFolder();
const ports = { gateway: await freePort(), admin: await freePort(), warehouse: await freePort() };
const keyOf = (name: string) => `${name}-key-0123456789abcdef`;
const CONSUMERS = ['acorn', 'birch', 'cedar', 'ann', 'ben', 'swift'];
const secrets = Object.fromEntries(
  CONSUMERS.map((name) => [`EXAMPLE_${name.toUpperCase()}_KEY`, keyOf(name)]),
);
const document = (await readFile(path.join(import.meta.dirname, 'gateway.yaml'), 'utf8'))
  .replace(':8080', `:${ports.gateway}`)
  .replace(':8092', `:${ports.warehouse}`);
await writeFile(path.join(folder.path, 'gateway.yaml'), document);

const VISITORS = 48;
const visitor = (i: number): Caller => ({
  name: 'a visitor',
  address: `198.51.100.${i + 1}`,
  at: (turn) => `/prices/${turn + i}`,
});
const consumer = (name: string, i: number): Caller => ({
  name,
  address: `192.0.2.${i + 1}`,
  key: keyOf(name),
  at: (turn) => `/orders/${turn}`,
});
const callers = [...Array.from({ length: VISITORS }, (_, i) => visitor(i)), ...CONSUMERS.map(consumer)];
const traffic = new Traffic(`http://127.0.0.1:${ports.gateway}`, callers);

/** Who runs an example may have other things to do. */
const PATIENCE_MS = 60_000;

interface Said {
  readonly code: number | null;
  readonly text: string;
}

/** At the command line, with its exit code. */
async function sallyport(...args: string[]): Promise<Said> {
  const environment = { ...secrets, NO_COLOR: '1' };
  const program = new Program(args, { cwd: folder.path, env: environment, patienceMs: PATIENCE_MS });
  const code = await program.exit();
  return { code, text: program.stdout + program.stderr };
}

const atGateway = ['--admin', `127.0.0.1:${ports.admin}`, '--data', 'data'];
const asked = (...args: string[]): Promise<Said> => sallyport(...args, ...atGateway);

/** What is asked of the running gateway must succeed. */
async function operator(...args: string[]): Promise<string> {
  const { code, text } = await asked(...args);
  assert.equal(code, 0, `${args.join(' ')}\n${text}`);
  return text;
}

/** The same by its API, for what is asked again and again. */
async function api<T>(at: string): Promise<T> {
  const token = (await readFile(path.join(folder.path, 'data/admin-token'), 'utf8')).trim();
  const headers = { authorization: `Bearer ${token}` };
  return JSON.parse(await (await fetch(`http://127.0.0.1:${ports.admin}${at}`, { headers })).text());
}

interface Entry {
  readonly at: string;
  readonly act: string;
  readonly phase: string;
  readonly actor: string;
}

interface Rollout {
  readonly id: string;
  readonly revision: string;
  readonly phase: string;
  readonly history: readonly Entry[];
}

/** The rollout under way, or the latest. */
const rollout = (): Promise<Rollout> => api('/api/rollouts/current');

async function rolloutIs(...phases: string[]): Promise<Rollout> {
  await eventually(async () => phases.includes((await rollout()).phase), PATIENCE_MS);
  return await rollout();
}

/** Starts a gateway on what is there. */
async function startGateway(): Promise<Program> {
  const options = ['--config', 'gateway.yaml', '--records', 'records.jsonl', '--workers', '2'];
  const program = new Program(['run', ...options, ...atGateway], { cwd: folder.path, env: secrets });
  await program.says(/serves/i);
  return program;
}

/** A draft: the document with one change. */
async function draft(name: string, from: string, to: string): Promise<string> {
  const changed = document.replace(from, to);
  assert.notEqual(changed, document, `there is no "${from}"`);
  await writeFile(path.join(folder.path, name), changed);
  return name;
}

const begunMs = Date.now();

/** A step of the story; the first that does not hold ends it. What it gives is shown below it. */
async function step(what: string, holds: () => Promise<readonly string[]>): Promise<void> {
  const shown = await holds();
  const seconds = ((Date.now() - begunMs) / 1000).toFixed(1).padStart(5);
  console.log(`ok ${seconds} s  ${what}`);
  for (const line of shown.flatMap((text) => text.trimEnd().split('\n'))) console.log(`      ${line}`);
}

const revisionsOf = (answers: readonly Answer[]): readonly string[] => [
  ...new Set(answers.map(({ revision }) => revision)),
];

/** Waits for so many answers to what is sent from now on. */
async function nextAnswers(count: number): Promise<readonly Answer[]> {
  const fromMs = Date.now();
  await eventually(async () => traffic.since(fromMs).length >= count, PATIENCE_MS);
  return traffic.since(fromMs);
}

const short = (revision: string): string => revision.slice(0, 12);

/** Nobody got anything but the revision that was live before, and all got what they asked for. */
async function nothingHappened(sinceMs: number): Promise<void> {
  await nextAnswers(50);
  const answers = traffic.since(sinceMs);
  assert.deepEqual(revisionsOf(answers), [before]);
  assert.ok(answers.every(({ status }) => status === 200));
}

let gateway = await startGateway();
const warehouse = new Warehouse();
await warehouse.open(ports.warehouse);
traffic.start();
/** What is live when the story begins. */
let before = '';

async function refusedBeforeItIsLive(): Promise<void> {
  await step('a gateway serves, and what it serves is recorded', async () => {
    const answers = await nextAnswers(300);
    assert.ok(answers.every(({ status }) => status === 200));
    [before] = revisionsOf(answers);
    const recorded = await operator('recordings');
    return [`revision ${short(before)}`, ...recorded.split('\n').filter((line) => /^requests/.test(line))];
  });

  await step('a change that locks out partners is refused by the tests of the document', async () => {
    const sinceMs = Date.now();
    const file = await draft('staff-only.yaml', '[partners, staff, couriers]', '[staff]');
    const { code, text } = await asked('publish', file, '--as', 'ann');
    assert.equal(code, 1, text);
    assert.match(text, /partners order.*forwarded should be true, but is false \(route:orders\/acl\)/);
    await nothingHappened(sinceMs);
    return [text];
  });

  const file = await draft('no-couriers.yaml', '[partners, staff, couriers]', '[partners, staff]');
  const replay = ['replay', file, '--data', 'data', '--records', '1h'];
  let flipped = '';

  await step('one that no test knows of shows when what was recorded is judged again', async () => {
    const { code, text } = await sallyport(...replay);
    assert.equal(code, 1, text);
    const row = /^(\d+) +allowed +forbidden by route:orders\/acl.+orders +swift +([\da-f]{32})/m.exec(text);
    assert.ok(row !== null && Number(row[1]) > 0, text);
    flipped = row[2];
    return [text];
  });

  await step('every request of it can be looked at', async () => {
    const { code, text } = await sallyport(...replay, '--example', flipped);
    assert.equal(code, 0, text);
    assert.match(text, /route:orders\/acl +continue +reject .*the caller has \[couriers\]/);
    assert.doesNotMatch(text, /key-0123456789abcdef/);
    const why = await operator('explain', flipped);
    assert.match(why, /route:orders\/acl +continue/);
    return [text.slice(text.lastIndexOf('\n\n') + 2), why];
  });

  await step('published all the same it waits for somebody else, who looks and says no', async () => {
    const sinceMs = Date.now();
    const { code, text } = await asked(
      ...['publish', file, '--as', 'ann', '--reason', 'who are the couriers?', '--no-wait'],
    );
    assert.equal(code, 3, text);
    await rolloutIs('approval');
    const said = await operator('rollout', 'status');
    assert.match(said, /allowed to denied of swift/);
    const own = await asked('rollout', 'approve', '--as', 'ann');
    assert.equal(own.code, 1, own.text);
    await operator('rollout', 'abort', '--as', 'ben', '--reason', 'they bring the parcels');
    await nothingHappened(sinceMs);
    return [said, own.text];
  });
}

async function rolledBackByItself(): Promise<void> {
  await step('one that only live traffic shows is rolled back by its canary, and by no human', async () => {
    const sinceMs = Date.now();
    const file = await draft('market.yaml', 'X-Market: eu', 'X-Market: europe');
    const { code, text } = await asked(
      ...['publish', file, '--as', 'ann', '--reason', 'the market has a new name'],
    );
    assert.equal(code, 1, text);
    const { id, revision, phase, history } = await rollout();
    const end = history.at(-1);
    assert.ok(end !== undefined);
    assert.deepEqual([phase, end.act, end.phase, end.actor], ['rolled-back', 'broken', 'canary', 'system']);
    await nextAnswers(150);
    const answers = traffic.since(sinceMs);
    const failed = answers.filter(({ status }) => status !== 200);
    assert.ok(failed.length > 0 && failed.length <= 200, `${failed.length}`);
    assert.ok(failed.every((answer) => answer.status === 500 && answer.revision === revision));
    const last = answers.findLast((answer) => answer.revision === revision);
    const tookMs = Math.max(0, (last?.sentMs ?? 0) - Date.parse(end.at));
    assert.ok(tookMs < 1000, `${tookMs} ms`);
    assert.deepEqual(revisionsOf(traffic.since(Date.now() - 500)), [before]);
    return [
      await operator('rollout', 'status', id),
      `${failed.length} of ${answers.length} requests failed, every one of them decided by ${short(revision)}`,
      `the last that it decided was sent ${tookMs} ms after the gate broke; all since by ${short(before)}`,
    ];
  });
}

const GUEST = 'consumer: guest }';
const limited = (perMinute: number) =>
  draft(
    `limit-${perMinute}.yaml`,
    GUEST,
    `${GUEST}\n      - rate-limit: { limit: ${perMinute}, window: 1m, by: address }`,
  );

interface AuditEntry {
  readonly at: string;
  readonly action: string;
  readonly subject: string;
}

/** Somebody who was not there before, and whose requests that revision decides. */
async function strangerOf(revision: string): Promise<Caller> {
  for (let i = 1; i < 100; i++) {
    const stranger = { ...visitor(0), address: `203.0.113.${i}` };
    if ((await traffic.ask(stranger)).revision === revision) return stranger;
  }
  return assert.fail(`nobody is decided by ${revision}`);
}

async function live(): Promise<void> {
  const publish = async (perMinute: number, as: string) =>
    asked('publish', await limited(perMinute), '--as', as, '--reason', 'prices are not for robots');
  const both = [publish(3000, 'ann'), publish(6000, 'ben')];
  const first = Promise.race(both);
  let next = '';

  await step('two publish at once: one is on its way, and the other is told', async () => {
    const { code, text } = await first;
    assert.equal(code, 1, text);
    next = (await rolloutIs('canary')).revision;
    return [text];
  });

  await step('a ban holds within a second, whichever revision decides', async () => {
    await operator('rollout', 'pause', '--as', 'ben', '--reason', 'somebody scans us');
    const banned = [await strangerOf(before), await strangerOf(next)];
    const shown: string[] = [];
    for (const [i, caller] of banned.entries()) {
      const asking = eventually(async () => (await traffic.ask(caller)).status === 403, PATIENCE_MS);
      const said = await operator('ban', caller.address, '--for', '1h', '--reason', 'scans');
      await asking;
      const { entries } = await api<{ entries: readonly AuditEntry[] }>('/api/audit?limit=10');
      const ban = entries.find(({ action, subject }) => action === 'ban.add' && said.includes(subject));
      assert.ok(ban !== undefined, JSON.stringify(entries));
      const later = await Promise.all(Array.from({ length: 40 }, () => traffic.ask(caller)));
      assert.deepEqual(new Set(later.map(({ status }) => status)), new Set([403]));
      const lastMs = traffic.answers.findLast((a) => a.caller === caller && a.status === 200)?.sentMs ?? 0;
      const tookMs = Math.max(0, lastMs - Date.parse(ban.at));
      assert.ok(tookMs < 1000, `${tookMs} ms`);
      const by = i === 0 ? 'the revision in service' : 'the canary';
      shown.push(
        `${caller.address}, decided by ${by}: the last that got through was sent ${tookMs} ms after it`,
      );
    }
    shown.push(await operator('bans'));
    await operator('rollout', 'resume', '--as', 'ben');
    return shown;
  });

  await step('a good one goes all the way', async () => {
    await rolloutIs('active');
    const codes = (await Promise.all(both)).map(({ code }) => code);
    assert.deepEqual(codes.toSorted(), [0, 1]);
    const answers = await nextAnswers(100);
    assert.deepEqual(revisionsOf(answers), [next]);
    assert.ok(answers.every(({ status }) => status === 200));
    return [await operator('rollout', 'status')];
  });

  await step('who looked at another revision than the one in service is told what has changed', async () => {
    const file = await draft('late.yaml', 'limit: 6000', 'limit: 9000');
    const { code, text } = await asked('publish', file, '--as', 'cho', '--expect', before);
    assert.equal(code, 1, text);
    return [text];
  });

  await step('by hand it goes back with one command', async () => {
    const begunMs = Date.now();
    const said = await operator('rollback', '--as', 'ben', '--reason', 'robots pay');
    const tookMs = Date.now() - begunMs;
    const answers = await nextAnswers(100);
    assert.deepEqual(revisionsOf(answers), [before]);
    return [said, `${tookMs} ms with the start of the command`];
  });
}

async function killed(): Promise<void> {
  await step('killed in the middle of a canary it goes on where it was', async () => {
    const { code, text } = await asked(
      ...['publish', await limited(9000), '--as', 'ann', '--reason', 'robots again', '--no-wait'],
    );
    assert.equal(code, 3, text);
    const { id, revision } = await rolloutIs('canary');
    await nextAnswers(20);
    gateway.signal('SIGKILL');
    await gateway.exit();
    gateway = await startGateway();
    const restartedMs = Date.now();
    const { phase } = await rollout();
    const end = await rolloutIs('active', 'refused', 'rolled-back', 'superseded');
    assert.deepEqual([end.id, end.phase], [id, 'active']);
    assert.ok(end.history.some(({ act }) => act === 'restarted'));
    const served = await nextAnswers(100);
    assert.deepEqual(revisionsOf(served), [revision]);
    const answers = traffic.since(restartedMs);
    assert.ok(answers.every(({ status }) => status === 200));
    assert.deepEqual(new Set(revisionsOf(answers)), new Set([before, revision]));
    return [`started again in phase ${phase}`, await operator('rollout', 'status')];
  });

  await step('and all of it is written down', async () => [await operator('history')]);
}

try {
  await refusedBeforeItIsLive();
  await rolledBackByItself();
  await live();
  await killed();
} catch (error) {
  console.error(`${gateway.stdout}\n${gateway.stderr}`.slice(-5000));
  throw error;
} finally {
  traffic.stop();
  await gateway.stop();
  warehouse.close();
  await folder.remove();
}
