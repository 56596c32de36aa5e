import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { issuesOf } from '../../test/fixtures/config.ts';
import { filesOnDisk, secretsOf } from './document-files.ts';
import { loadDocument } from './load.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-load-'));
after(() => rmSync(root, { recursive: true }));
let folders = 0;

/** A new folder with these files. */
function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = join(root, String(++folders));
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe('a file', () => {
  it('is read with its folder, a byte-order mark left out', async () => {
    const folder = folderWith({ 'gateway.yaml': '\ufeffsallyport: 1\n' });
    const { document, folder: at, sources } = await loadDocument(join(folder, 'gateway.yaml'));
    assert.deepEqual(document, { sallyport: 1 });
    assert.deepEqual([at, sources], [folder, [join(folder, 'gateway.yaml')]]);
  });

  const refused: readonly [
    name: string,
    files: Readonly<Record<string, string | Uint8Array>>,
    message: RegExp,
  ][] = [
    ['that is not there', {}, /there is no such file/],
    ['that is no UTF-8', { 'gateway.yaml': new Uint8Array([0x61, 0x3a, 0xff]) }, /not UTF-8/],
    ['that is too large', { 'gateway.yaml': `#${'x'.repeat(9 * 1024 * 1024)}` }, /is larger than/],
  ];
  for (const [name, files, message] of refused) {
    it(`${name} is refused`, async () => {
      const path = join(folderWith(files), 'gateway.yaml');
      const [issue] = await issuesOf(() => loadDocument(path));
      assert.match(issue.message, message);
    });
  }

  it('that is a device is refused, not read for ever', async () => {
    const folder = folderWith({});
    symlinkSync('/dev/zero', join(folder, 'gateway.yaml'));
    const [issue] = await issuesOf(() => loadDocument(join(folder, 'gateway.yaml')));
    assert.match(issue.message, /not a regular file/);
  });
});

describe('a folder', () => {
  it('joins lists in the order of the names, and objects key by key', async () => {
    const folder = folderWith({
      'b.yaml': 'sallyport: 1\nroutes:\n  - name: two\nupstreams: { b: {} }\n',
      'a.json': '{"sallyport": 1, "routes": [{"name": "one"}], "upstreams": {"a": {}}}',
      'c.yml': 'listeners:\n  - name: public\n',
      'notes.txt': 'not: [read',
      '.hidden.yaml': 'not: [read',
    });
    const { document, locate, sources } = await loadDocument(folder);
    assert.deepEqual(document, {
      sallyport: 1,
      routes: [{ name: 'one' }, { name: 'two' }],
      upstreams: { a: {}, b: {} },
      listeners: [{ name: 'public' }],
    });
    assert.deepEqual(locate(['routes', 1, 'name']), { file: join(folder, 'b.yaml'), line: 3, column: 5 });
    assert.deepEqual(locate(['upstreams', 'b', 'x']), { file: join(folder, 'b.yaml'), line: 4, column: 14 });
    assert.deepEqual(
      sources,
      ['a.json', 'b.yaml', 'c.yml'].map((name) => join(folder, name)),
    );
  });

  const conflicts: readonly [name: string, a: string, b: string, path: string][] = [
    ['one route twice', 'routes: [{ name: r }]', 'routes: [{ name: q }, { name: r }]', 'routes[1].name'],
    ['one upstream twice', 'upstreams: { u: {} }', 'upstreams: { u: {} }', 'upstreams.u'],
    ['two versions', 'sallyport: 1', 'sallyport: 2', 'sallyport'],
    ['a list and an object', 'routes: []', 'routes: {}', 'routes'],
    ['a list and a text', 'routes: []', 'routes: x', 'routes'],
  ];
  for (const [name, a, b, path] of conflicts) {
    it(`with ${name} is refused, naming both files`, async () => {
      const folder = folderWith({ 'a.yaml': a, 'b.yaml': b });
      const [issue] = await issuesOf(() => loadDocument(folder));
      assert.equal(issue.path, path);
      assert.ok(
        issue.message.includes(join(folder, 'a.yaml')) && issue.message.includes(join(folder, 'b.yaml')),
      );
      assert.equal(issue.file, join(folder, 'b.yaml'));
    });
  }

  it('tells the faults of all its files', async () => {
    const folder = folderWith({ 'a.yaml': 'a: [', 'b.yaml': 'b: [', 'c.yaml': 'c: 1' });
    const issues = await issuesOf(() => loadDocument(folder));
    assert.deepEqual(
      [...new Set(issues.map((i) => i.file))],
      [join(folder, 'a.yaml'), join(folder, 'b.yaml')],
    );
  });

  it('without documents is refused', async () => {
    const [issue] = await issuesOf(() => loadDocument(folderWith({ 'notes.txt': '' })));
    assert.match(issue.message, /holds no \*\.yaml/);
  });
});

describe('references', () => {
  const folder = folderWith({ 'key.txt': 'the-secret\n', 'list.txt': ' one\ntwo\n' });
  const files = filesOnDisk(folder);
  const secrets = secretsOf({ NAME: 'value', EMPTY: '' }, files);

  it('files are relative to the folder, with or without "file:"', () => {
    for (const name of [
      'list.txt',
      './list.txt',
      'file:list.txt',
      'file:./list.txt',
      join(folder, 'list.txt'),
    ]) {
      assert.equal(files.read(name), ' one\ntwo\n');
    }
  });

  it('secrets lose the line end of their file', () => {
    assert.equal(secrets.resolve('file:key.txt'), 'the-secret');
    assert.equal(secrets.resolve('env:NAME'), 'value');
  });

  const refused: readonly [reference: string, message: RegExp][] = [
    ['env:NONE', /no NONE/],
    ['env:EMPTY', /no EMPTY/],
    ['the-secret', /must be a reference/],
    ['file:none', /no such file/],
    ['file:.', /not a regular file/],
    ['file:/dev/zero', /not a regular file/],
  ];
  for (const [reference, message] of refused) {
    it(`${reference} is refused, without its text`, async () => {
      const [issue] = await issuesOf(() => secrets.resolve(reference));
      assert.match(issue.message, message);
      assert.doesNotMatch(issue.message, /the-secret/);
    });
  }
});
