import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bundleDeps,
  documentWith,
  issuesOf,
  KEY,
  parsed,
  probePolicies,
} from '../../test/fixtures/config.ts';
import { compileBundle, createBundle } from './bundle.ts';
import { PolicyCache } from './policy-cache.ts';
import { revisionOf } from './revision.ts';

const READER = { reader: { file: 'file:./list.txt', secret: 'env:KEY' } };
const document = documentWith({}, { policies: [READER] });
const create = (text = 'one', environment: Readonly<Record<string, string>> = { KEY }) =>
  createBundle(parsed(document), bundleDeps(probePolicies(), { 'list.txt': text }, environment));

describe('a revision id', () => {
  it('is the hash of the canonical document and its files', () => {
    const id = revisionOf({ b: 1, a: [true] }, { 'x.txt': 'text' });
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal(revisionOf({ a: [true], b: 1 }, { 'x.txt': 'text' }), id);
    const others = [
      revisionOf({ a: [false], b: 1 }, { 'x.txt': 'text' }),
      revisionOf({ a: [true], b: 1 }, { 'x.txt': 'other' }),
      revisionOf({ a: [true], b: 1 }, { 'y.txt': 'text' }),
      revisionOf({ a: [true], b: 1 }, {}),
    ];
    assert.equal(new Set([id, ...others]).size, 5);
  });

  it('changes with a file and not with a secret', async () => {
    const one = await create();
    const otherFile = await create('two');
    const otherSecret = await create('one', { KEY: `${KEY}-2` });
    assert.notEqual(otherFile.bundle.revision, one.bundle.revision);
    assert.equal(otherSecret.bundle.revision, one.bundle.revision);
    assert.equal(one.bundle.revision, revisionOf(document, { 'list.txt': 'one' }));
    assert.equal(one.snapshot.revision, one.bundle.revision);
  });
});

describe('a bundle', () => {
  it('holds what was read, each once, and survives a copy between threads', async () => {
    const { bundle } = await create();
    assert.deepEqual(bundle.files, { 'list.txt': 'one' });
    assert.deepEqual(bundle.secrets, { 'env:KEY': KEY });
    assert.deepEqual(structuredClone(bundle), bundle);
  });

  it('compiles to the same snapshot without reading anything', async () => {
    const { bundle, snapshot } = await create();
    const { catalog } = bundleDeps();
    const copy = await compileBundle(structuredClone(bundle), { catalog, cache: new PolicyCache() });
    assert.equal(copy.revision, snapshot.revision);
    assert.deepEqual(
      copy.attachments.map((a) => a.id),
      snapshot.attachments.map((a) => a.id),
    );
  });

  it('is refused where something was not captured', async () => {
    const { bundle } = await create();
    const { catalog } = bundleDeps();
    const cache = new PolicyCache();
    for (const part of [{ files: {} }, { secrets: {} }]) {
      const issues = await issuesOf(() => compileBundle({ ...bundle, ...part }, { catalog, cache }));
      assert.match(issues[0].message, /was not captured/);
      assert.doesNotMatch(JSON.stringify(issues), new RegExp(KEY));
    }
  });
});
