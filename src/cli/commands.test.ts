import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command } from 'commander';
import { documentWith, type Members } from '../../test/fixtures/config.ts';
import { Type } from '../lib/schema.ts';
import { matches } from '../lib/schema-check.ts';
import { addCheckCommand, type CheckFormat, type CheckOptions, check } from './check.ts';
import type { Terminal } from './terminal.ts';
import { type TestOptions, test } from './test.ts';
import { addVersionCommand, packageVersion } from './version.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
after(() => rmSync(folder, { recursive: true }));
const NOW_MS = Date.UTC(2026, 10, 23, 15);

const stranger = (status: number): Members => ({
  name: `a stranger gets ${status}`,
  request: { path: '/' },
  expect: { status },
});
const sound = (...tests: Members[]) => documentWith({ tests }, { policies: [{ 'api-key': {} }] });

class Captured implements Terminal {
  readonly colours = false;
  stdout = '';
  stderr = '';

  out(text: string): void {
    this.stdout += text;
  }

  error(text: string): void {
    this.stderr += text;
  }
}

/** Writes a document and runs a command on it. */
async function run(
  document: unknown,
  command: (file: string, terminal: Terminal) => Promise<number>,
): Promise<{ code: number; stdout: string; stderr: string; file: string }> {
  const file = join(folder, 'gateway.json');
  writeFileSync(file, typeof document === 'string' ? document : JSON.stringify(document, null, 2));
  const terminal = new Captured();
  const code = await command(file, terminal);
  return { code, stdout: terminal.stdout, stderr: terminal.stderr, file };
}

const checked = (document: unknown, format: CheckFormat = 'text') =>
  run(document, (file, terminal) => check(file, { format }, terminal, NOW_MS));
const tested = (
  document: unknown,
  format: 'text' | 'json' = 'text',
  more: Omit<TestOptions, 'format'> = {},
) => run(document, (file, terminal) => test(file, { format, ...more }, terminal, NOW_MS));

describe('sallyport check', () => {
  it('refuses with every error, its place and its fix, and no stack', async () => {
    const document = documentWith({ rout: [] }, { upstream: 'orgin', policies: [{ 'rate-limt': {} }] });
    const { code, stdout, stderr, file } = await checked(document);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    const places = [...stderr.matchAll(/^(\S+):(\d+):(\d+)$/gm)].map(([, name, line]) => [
      name,
      Number(line) > 1,
    ]);
    assert.deepEqual(places, [
      [file, true],
      [file, true],
      [file, true],
    ]);
    for (const word of ['rout', 'did you mean "origin"?', 'did you mean "rate-limit"?', '3 errors in']) {
      assert.ok(stderr.includes(word), word);
    }
    assert.doesNotMatch(stderr, /\n\s+at /);
  });

  it('refuses as JSON', async () => {
    const { code, stdout } = await checked(documentWith({}, { upstream: 'orgin' }), 'json');
    const { valid, issues } = JSON.parse(stdout);
    assert.deepEqual([code, valid, issues.length], [1, false, 1]);
    assert.deepEqual(Object.keys(issues[0]).sort(), [
      'column',
      'file',
      'line',
      'message',
      'path',
      'suggestion',
    ]);
    assert.equal(issues[0].path, 'routes[0].upstream');
  });

  it('refuses a file that is not there', async () => {
    const terminal = new Captured();
    assert.equal(await check(join(folder, 'none.yaml'), { format: 'text' }, terminal, NOW_MS), 1);
    assert.match(terminal.stderr, /no such file/);
  });

  it('hides a secret written into the document', async () => {
    const secret = 'hunter2hunter2hunter2';
    const document = documentWith({ consumers: [{ name: 'a', credentials: [{ 'api-key': { secret } }] }] });
    for (const format of ['text', 'json'] as const) {
      const { code, stdout, stderr } = await checked(document, format);
      assert.equal(code, 1);
      assert.doesNotMatch(stdout + stderr, /hunter2/);
    }
  });

  it('takes a sound document and tells its revision', async () => {
    const { code, stdout, stderr } = await checked(sound());
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /1 listener, 1 route, 1 policy\nrevision [0-9a-f]{64}\n$/);
    const json = await checked(sound(), 'json');
    assert.equal(json.code, 0);
    assert.equal(JSON.parse(json.stdout).valid, true);
    assert.ok(stdout.includes(JSON.parse(json.stdout).revision));
  });
});

describe('sallyport check of what is sound and yet not meant', () => {
  const SECRET = '2f9a8b7c6d5e4f3a';
  const open = (...policies: Members[]) => documentWith({}, { policies });
  const leaking = open({ 'api-key': {} }, { headers: { request: { set: { 'x-api-key': SECRET } } } });
  const codeOf = async (document: unknown, options: Omit<CheckOptions, 'format'> = {}): Promise<number> =>
    (await run(document, (file, t) => check(file, { format: 'text', ...options }, t, NOW_MS))).code;

  it('fails for an error; for a warning only with --strict; for neither where it is ignored', async () => {
    assert.equal(await codeOf(leaking), 1);
    assert.equal(await codeOf(leaking, { ignore: ['inline-secret'] }), 0);
    assert.equal(await codeOf(open()), 0);
    assert.equal(await codeOf(open(), { strict: true }), 1);
    assert.equal(await codeOf(open(), { strict: true, ignore: ['unauthenticated-route'] }), 0);
  });

  it('tells each with its place, rule, line, fix and page', async () => {
    const { stdout, stderr, file } = await checked(open());
    assert.equal(stderr, '');
    assert.match(stdout, /^\S+:\d+:\d+\n {2}warning unauthenticated-route routes\[0\]: /);
    assert.ok(stdout.startsWith(`${file}:`));
    assert.match(stdout, /\n {4}\d+ \| .*\n +\^\n/);
    assert.match(stdout, /\n {2}docs\/checks\.md#unauthenticated-route\n/);
    assert.match(stdout, /\n1 warning\n$/);
  });

  it('shows no secret, whatever the format', async () => {
    const written = JSON.stringify(leaking);
    for (const format of ['text', 'json', 'sarif'] as const) {
      const { stdout, stderr } = await checked(written, format);
      assert.match(stdout, /inline-secret/);
      assert.ok(!(stdout + stderr).includes(SECRET), format);
    }
  });

  it('gives the findings as JSON', async () => {
    const { valid, passed, findings } = JSON.parse((await checked(leaking, 'json')).stdout);
    assert.deepEqual([valid, passed, findings.length], [true, false, 1]);
    assert.equal(findings[0].path, 'routes[0].policies[1].headers.request.set.x-api-key');
  });

  it('refuses a rule that does not exist', async () => {
    const terminal = new Captured();
    const program = new Command()
      .exitOverride()
      .configureOutput({ writeErr: (text) => terminal.error(text) });
    addCheckCommand(program, terminal);
    const args = ['check', 'none.yaml', '--ignore', 'inline-secrets'];
    await assert.rejects(program.parseAsync(args, { from: 'user' }));
    assert.match(terminal.stderr, /did you mean "inline-secret"/);
  });
});

/** The essentials of the SARIF 2.1.0 schema (OASIS), as far as code scanning reads them. */
const Text = Type.Object({ text: Type.String({ minLength: 1 }) });
const Level = Type.Union([Type.Literal('error'), Type.Literal('warning'), Type.Literal('note')]);
const strict = { additionalProperties: false };
const Sarif = Type.Object(
  {
    $schema: Type.Literal('https://json.schemastore.org/sarif-2.1.0.json'),
    version: Type.Literal('2.1.0'),
    runs: Type.Array(
      Type.Object(
        {
          tool: Type.Object({
            driver: Type.Object({
              name: Type.Literal('sallyport'),
              version: Type.String({ minLength: 1 }),
              rules: Type.Array(
                Type.Object({
                  id: Type.String({ pattern: '^[a-z-]+$' }),
                  shortDescription: Text,
                  help: Text,
                  defaultConfiguration: Type.Object({ level: Level }, strict),
                }),
              ),
            }),
          }),
          columnKind: Type.Literal('utf16CodeUnits'),
          results: Type.Array(
            Type.Object(
              {
                ruleId: Type.String(),
                ruleIndex: Type.Integer({ minimum: 0 }),
                level: Level,
                message: Text,
                locations: Type.Array(
                  Type.Object({
                    physicalLocation: Type.Object({
                      artifactLocation: Type.Object({ uri: Type.String({ pattern: '^[^ \\\\]+$' }) }, strict),
                      region: Type.Object(
                        {
                          startLine: Type.Integer({ minimum: 1 }),
                          startColumn: Type.Integer({ minimum: 1 }),
                        },
                        strict,
                      ),
                    }),
                  }),
                  { minItems: 1, maxItems: 1 },
                ),
              },
              strict,
            ),
          ),
        },
        strict,
      ),
      { minItems: 1, maxItems: 1 },
    ),
  },
  strict,
);

describe('SARIF', () => {
  const logOf = async (document: unknown) => {
    const log: unknown = JSON.parse((await checked(document, 'sarif')).stdout);
    assert.ok(matches(Sarif, log), JSON.stringify(log));
    const [run] = log.runs;
    for (const { ruleId, ruleIndex } of run.results) {
      assert.equal(run.tool.driver.rules[ruleIndex]?.id, ruleId);
    }
    return run;
  };

  it('holds the faults of a document that is not valid', async () => {
    const { results } = await logOf(documentWith({ rout: [] }, { upstream: 'orgin' }));
    assert.deepEqual(
      results.map(({ ruleId, level }) => [ruleId, level]),
      [
        ['invalid-document', 'error'],
        ['invalid-document', 'error'],
      ],
    );
  });

  it('holds what the lint finds', async () => {
    const { results } = await logOf(documentWith());
    assert.deepEqual(
      results.map(({ ruleId, level }) => [ruleId, level]),
      [['unauthenticated-route', 'warning']],
    );
    const { region } = results[0].locations[0].physicalLocation;
    assert.ok(region.startLine > 1 && region.startColumn > 1);
  });

  it('holds nothing of a document that is clean', async () => {
    assert.deepEqual((await logOf(sound())).results, []);
  });
});

describe('sallyport test', () => {
  it('fails with what was expected, what came, and who decided', async () => {
    const { code, stdout } = await tested(sound(stranger(401), stranger(403)));
    assert.equal(code, 1);
    assert.equal(
      stdout,
      'ok a stranger gets 401 (route:all/api-key)\n' +
        'not ok a stranger gets 403 (route:all/api-key)\n' +
        '    status: expected 403, got 401\n' +
        '2 tests, 1 failed\n' +
        'coverage: 0 of 1 policy (0%), 1 of 1 route (100%)\n' +
        '  route:all/api-key  no test sees it let on\n',
    );
  });

  it('fails as JSON', async () => {
    const { code, stdout } = await tested(sound(stranger(403)), 'json');
    const { passed, tests } = JSON.parse(stdout);
    assert.deepEqual([code, passed, tests[0].unmet[0].expected], [1, false, '403']);
  });

  it('fails on a document that is not valid', async () => {
    const { code, stderr } = await tested(documentWith({ rout: [] }));
    assert.equal(code, 1);
    assert.match(stderr, /unknown key "rout"/);
  });

  it('passes', async () => {
    const { code, stdout } = await tested(sound(stranger(401)));
    assert.deepEqual([code, stdout.split('\n')[1]], [0, '1 test, all passed']);
  });

  it('says when there are none', async () => {
    const { code, stdout, file } = await tested(sound());
    assert.deepEqual(
      [code, stdout],
      [
        0,
        `${file} has no tests\ncoverage: 0 of 1 policy (0%), 0 of 1 route (0%)\n` +
          '  route:all/api-key  no test sees it decide\n  route:all          no test comes to it\n',
      ],
    );
  });

  it('fails below the coverage asked for, of policies or of routes', async () => {
    const letOn = {
      name: 'somebody is let on',
      request: { path: '/', identity: { consumer: 'app' } },
      expect: { forwarded: true },
    };
    const one = sound(stranger(401));
    const whole = sound(stranger(401), letOn);
    const cases: readonly [document: Members, minCoverage: number, code: number][] = [
      [one, 0, 0],
      [one, 1, 1],
      [whole, 100, 0],
      [documentWith({}), 1, 1],
    ];
    for (const [document, minCoverage, code] of cases) {
      const { stderr, ...got } = await tested(document, 'text', { minCoverage });
      assert.equal(got.code, code, JSON.stringify(document));
      assert.equal(stderr === '', code === 0);
      const { passed, coverage } = JSON.parse((await tested(document, 'json', { minCoverage })).stdout);
      assert.equal(passed, code === 0);
      assert.equal(coverage.routes.total, 1);
    }
  });
});

describe('sallyport version', () => {
  it('tells the versions and the platform, also as an option', async () => {
    assert.match(packageVersion(), /^\d+\.\d+\.\d+/);
    for (const word of ['version', '--version', '-V']) {
      const terminal = new Captured();
      const program = new Command().exitOverride();
      addVersionCommand(program, terminal);
      await program.parseAsync([word], { from: 'user' }).catch((error) => assert.equal(error.exitCode, 0));
      assert.equal(
        terminal.stdout,
        `sallyport ${packageVersion()}\nnode ${process.versions.node}\nplatform ${process.platform}-${process.arch}\n`,
        word,
      );
    }
  });
});
