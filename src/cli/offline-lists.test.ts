import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { documentWith, type Members } from '../../test/fixtures/config.ts';
import { COUNTRIES, writeMmdb } from '../../test/fixtures/mmdb.ts';
import { check } from './check.ts';
import type { Terminal } from './terminal.ts';
import { test } from './test.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-offline-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'drop.txt'), '203.0.113.0/24 ; SBL1\n');
writeFileSync(join(folder, 'bad.txt'), '203.0.113.0/24\n<html>\n');
writeFileSync(join(folder, 'own.txt'), '10.0.0.0/8\n');
writeFileSync(join(folder, 'country.mmdb'), writeMmdb(COUNTRIES));

async function run(document: unknown, command: 'check' | 'test', format: 'text' | 'json' = 'text') {
  const file = join(folder, 'gateway.json');
  writeFileSync(file, JSON.stringify(document, null, 2));
  let [out, err] = ['', ''];
  const terminal: Terminal = {
    colours: false,
    out: (text) => {
      out += text;
    },
    error: (text) => {
      err += text;
    },
  };
  const nowMs = Date.UTC(2026, 10, 23, 15);
  const code = await (command === 'check'
    ? check(file, { format }, terminal, nowMs)
    : test(file, { format }, terminal, nowMs));
  return { code, out, err };
}

const FROM_FILE = { source: 'file:./drop.txt' };
const FROM_URL = { source: 'https://feeds.example.net/drop.txt?key=abc' };
const document = (drop: Members, expect: Members, more: Members = {}) =>
  documentWith(
    {
      lists: { drop },
      tests: [{ name: 'a stranger', request: { path: '/', client: '203.0.113.7' }, expect }],
      ...more,
    },
    { policies: [{ 'ip-list': { deny: ['list:drop'] } }] },
  );

describe('a document is judged offline by lists', () => {
  it('from files, as they are', async () => {
    const sound = document(FROM_FILE, { status: 403, policy: 'ip-list', rule: 'list:drop' });
    for (const command of ['check', 'test'] as const) {
      const { code, out } = await run(sound, command);
      assert.equal(code, 0, out);
      assert.ok(!out.includes('note:'));
    }
    assert.equal((await run(document(FROM_FILE, { forwarded: true }), 'test')).code, 1);
  });

  it('from the document, with what has expired left out', async () => {
    const kept = (expires: string) => ({ entries: [{ network: '203.0.113.0/24', expires }] });
    assert.equal((await run(document(kept('2026-11-23'), { status: 403 }), 'test')).code, 0);
    assert.equal((await run(document(kept('2026-11-22'), { forwarded: true }), 'test')).code, 0);
  });

  it('from URLs, without entries, and says so', async () => {
    const fed = document(FROM_URL, { forwarded: true });
    for (const command of ['check', 'test'] as const) {
      const { code, out } = await run(fed, command);
      assert.equal(code, 0, out);
      assert.match(
        out,
        /^note: list "drop" has no entries here: https:\/\/feeds\.example\.net\/drop\.txt is asked/m,
      );
      assert.ok(!out.includes('key=abc'));
      const json = JSON.parse((await run(fed, command, 'json')).out);
      assert.equal(json.notes.length, 1);
    }
  });

  it('from files that a gateway would not take by itself, and says so', async () => {
    const { code, out } = await run(document({ source: 'file:own.txt' }, { forwarded: true }), 'check');
    assert.equal(code, 0);
    assert.match(out, /^note: list "drop": its first content would be held .*10\.0\.0\.0\/8 \(private\)/m);
  });

  it('and is refused, at its place, for files that cannot be read', async () => {
    for (const [source, says] of [
      ['file:./bad.txt', /lists\.drop\.source: file:\.\/bad\.txt: line 2/],
      ['file:./none.txt', /no such file/],
    ] as const) {
      const { code, err } = await run(document({ source }, { forwarded: true }), 'check');
      assert.equal(code, 1);
      assert.match(err, says);
      assert.match(err, /gateway\.json:\d+:\d+/);
    }
  });
});

it('a document is judged offline by its databases', async () => {
  const countries = documentWith(
    {
      geo: { country: 'file:./country.mmdb' },
      tests: [
        { name: 'DE', request: { path: '/', client: '192.0.2.1' }, expect: { rule: 'country:DE' } },
        { name: 'FR', request: { path: '/', client: '192.0.2.200' }, expect: { forwarded: true } },
      ],
    },
    { policies: [{ 'ip-list': { deny: ['country:DE'] } }] },
  );
  const { code, out } = await run(countries, 'test');
  assert.equal(code, 0, out);
});
