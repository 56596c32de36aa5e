import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command, CommanderError } from 'commander';
import { documentWith, type Members } from '../../test/fixtures/config.ts';
import { LastGood } from '../store/index.ts';
import { addReplayCommand, replayDraft } from './replay.ts';
import { parseAgo, parseClient, parseMaxFlips, parsePast, type ReplayOptions } from './replay-options.ts';
import type { Terminal } from './terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-replay-'));
after(() => rmSync(folder, { recursive: true }));

class Captured implements Terminal {
  readonly colours: boolean;
  stdout = '';
  stderr = '';

  constructor(colours = false) {
    this.colours = colours;
  }

  out(text: string): void {
    this.stdout += text;
  }

  error(text: string): void {
    this.stderr += text;
  }
}

let files = 0;
function write(text: string): string {
  const path = join(folder, `${++files}.txt`);
  writeFileSync(path, text);
  return path;
}

const documentOf = (policies: readonly unknown[], more: Members = {}): string =>
  JSON.stringify(documentWith(more, { policies }));
const OPEN = documentOf([]);
const CLOSED = documentOf([{ acl: { allow: 'everyone', deny: { paths: ['/no/**'] } } }]);
const LIMITED = documentOf([{ 'rate-limit': { limit: 2, window: '1h', by: 'address' } }]);

const line = (path: string, second = 1) =>
  `203.0.113.7 - - [23/Nov/2026:00:00:${String(second).padStart(2, '0')} +0000] "GET ${path} HTTP/1.1" 200 1 "-" "curl/8"`;
const LOG = [line('/yes'), line('/yes', 2), line('/yes', 3), line('/no/1', 4)].join('\n');

/** Judges `log` by a document. */
async function run(
  document: string,
  more: Partial<ReplayOptions> & { readonly lines?: string } = {},
  terminal = new Captured(),
) {
  const { lines = LOG, ...options } = more;
  const all: ReplayOptions = {
    data: join(folder, 'nowhere'),
    masterKey: [],
    records: 86_400_000,
    log: write(lines),
    maxFlips: { count: 0 },
    format: 'text',
    ...options,
  };
  const code = await replayDraft(write(document), all, terminal, Date.UTC(2026, 10, 24));
  return { code, out: terminal.stdout, err: terminal.stderr };
}

describe('fails', () => {
  it('where more requests are decided otherwise than may be', async () => {
    const { code, out } = await run(CLOSED, { against: write(OPEN) });
    assert.equal(code, 1);
    assert.match(out, /^ +1 +allowed → denied$/m);
    assert.match(out, /^1 +allowed +forbidden by route:all\/acl \(deny\) +all +- +line-4$/m);
  });

  const allowed: readonly (readonly [maxFlips: ReplayOptions['maxFlips'], code: number])[] = [
    [{ count: 1 }, 0],
    [{ share: 0.25 }, 0],
    [{ share: 0.24 }, 1],
  ];
  for (const [maxFlips, expected] of allowed) {
    it(`${JSON.stringify(maxFlips)}: ${expected}`, async () => {
      assert.equal((await run(CLOSED, { against: write(OPEN), maxFlips })).code, expected);
    });
  }

  it('where requests are let on that were not', async () => {
    assert.equal((await run(OPEN, { against: write(CLOSED) })).code, 1);
  });

  it('where nothing was replayed: that shows nothing', async () => {
    const { code, out } = await run(CLOSED, { lines: '' });
    assert.equal(code, 1);
    assert.match(out, /nothing was replayed/);
  });

  it('without a recording, and makes no key for it', async () => {
    const data = join(folder, 'empty');
    const terminal = new Captured();
    const options = { data, masterKey: [], records: 1, maxFlips: { count: 0 }, format: 'text' } as const;
    assert.equal(await replayDraft(write(OPEN), options, terminal, 0), 1);
    assert.match(terminal.stderr, /holds no recording/);
    assert.equal(existsSync(data), false);
  });

  const broken: readonly (readonly [
    name: string,
    document: string,
    more: Partial<ReplayOptions>,
    says: RegExp,
  ])[] = [
    ['a draft with errors', documentOf([{ acl: {} }]), {}, /acl/],
    ['an opponent with errors', OPEN, { against: write('{}') }, /\.txt: /],
    ['no opponent', OPEN, { against: 'active' }, /no revision was served/],
    ['no log', OPEN, { log: join(folder, 'none') }, /none cannot be read/],
    ['no listener', OPEN, { listener: 'other' }, /no listener "other"/],
    ['no archive', OPEN, { har: write('{}') }, /no HTTP archive/],
  ];
  for (const [name, document, more, says] of broken) {
    it(name, async () => {
      const { code, err } = await run(document, more);
      assert.equal(code, 1);
      assert.match(err, says);
    });
  }
});

describe('passes', () => {
  it('where all is the same', async () => {
    const { code, out } = await run(LIMITED, { against: write(LIMITED) });
    assert.equal(code, 0);
    assert.match(out, /^ +4 +the same$/m);
  });

  it('what cannot be decided, and says by whom it would be', async () => {
    const { code, out } = await run(documentOf([{ 'api-key': {} }]), { against: write(OPEN) });
    assert.equal(code, 0);
    assert.match(out, /^4 +the import does not tell +route:all\/api-key +line-1 line-2$/m);
  });

  it('an import that there is nothing to compare with: what is decided is shown', async () => {
    const { code, out } = await run(LIMITED);
    assert.equal(code, 0);
    assert.match(out, /^2 +rate-limited by route:all\/rate-limit \(rate-limit\) +all +- +line-3 line-4$/m);
  });
});

it('what was last served is compared with, where there is one', async () => {
  const data = mkdtempSync(join(folder, 'data-'));
  new LastGood(join(data, 'last-good.json')).save({
    revision: 'a'.repeat(64),
    document: OPEN,
    files: {},
    savedAt: 0,
  });
  assert.match((await run(CLOSED, { data })).out, /^ +1 +allowed → denied$/m);
  assert.match((await run(CLOSED, { data, against: 'recorded' })).out, /compared with nothing/);
});

it('what cannot be read is told of', async () => {
  const { out } = await run(OPEN, { lines: `${LOG}\nnonsense`, against: write(OPEN) });
  assert.match(out, /1 of 5 entries of .* cannot be read: line 5/);
});

it('as JSON all of it is there', async () => {
  const { code, out } = await run(CLOSED, { against: write(OPEN), format: 'json' });
  const { passed, totals, flips, notes, baseline } = JSON.parse(out);
  assert.deepEqual([code, passed, baseline, notes], [1, false, 'revision', []]);
  assert.deepEqual([totals.requests, totals.allowedToDenied, flips[0].examples], [4, 1, ['line-4']]);
});

it('the worst is red', async () => {
  const { out } = await run(CLOSED, { against: write(OPEN) }, new Captured(true));
  assert.match(out, /\u001b\[31m +1 +allowed → denied\u001b\[0m/);
});

describe('one request', () => {
  it('is shown attachment by attachment', async () => {
    const { code, out } = await run(LIMITED, { against: write(OPEN), example: 'line-3' });
    assert.equal(code, 0);
    assert.match(out, /^line-3 {2}GET \/yes$/m);
    assert.match(out, /^route:all\/rate-limit +- +reject \(rate-limited, rate-limit, more than 2 per 1h\)$/m);
    assert.match(out, /^outcome +allowed +rate-limited by route:all\/rate-limit \(rate-limit\)$/m);
  });

  it('that is not there fails', async () => {
    const { code, out } = await run(LIMITED, { example: 'line-9' });
    assert.equal(code, 1);
    assert.match(out, /has no request "line-9"/);
  });

  it('rewrites no terminal', async () => {
    const lines =
      `{"time":"2026-11-23T00:00:00Z","request_id":"\u001b[2J","method":"GET","uri":"/a\u001b[31m","host":"a"}`.replaceAll(
        '\u001b',
        '\\u001b',
      );
    const { out } = await run(OPEN, { lines, against: write(OPEN), example: '\u001b[2J' });
    assert.doesNotMatch(out, /\u001b/);
  });
});

describe('options', () => {
  it('that are wrong are refused', () => {
    for (const text of ['', '-1', '1.5', '101%', 'x%', '1 %']) assert.throws(() => parseMaxFlips(text), text);
    for (const text of ['', '0s', '24', 'yesterday']) assert.throws(() => parseAgo(text), text);
    for (const text of ['', 'yesterday', '2026-13-01', '12:00']) assert.throws(() => parsePast(text), text);
    for (const text of ['', 'a.example', '1.2.3']) assert.throws(() => parseClient(text), text);
  });
  it('that are right are read', () => {
    assert.deepEqual([parseMaxFlips('3'), parseMaxFlips('0.1%')], [{ count: 3 }, { share: 0.001 }]);
    assert.equal(parseAgo('24h'), 86_400_000);
    assert.equal(parsePast('2026-11-23T00:00:00Z'), Date.UTC(2026, 10, 23));
    assert.equal(parseClient('::ffff:192.0.2.1'), '192.0.2.1');
  });
  it('two imports at once are not taken', async () => {
    const program = new Command().exitOverride();
    addReplayCommand(program, new Captured());
    for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
    const asked = program.parseAsync(['node', 'x', 'replay', 'f', '--har', 'a', '--log', 'b']);
    await assert.rejects(asked, CommanderError);
  });
});
