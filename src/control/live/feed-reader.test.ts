import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { feedPlan, filePlan } from '../../../test/fixtures/feeds.ts';
import { createNetwork } from '../../outbound/index.ts';
import { createFeedReader, type FeedRead, NO_MARK } from './feed-reader.ts';

const folder = mkdtempSync(join(tmpdir(), 'feeds-'));
after(() => rmSync(folder, { recursive: true }));
const reader = createFeedReader({ network: createNetwork(), folder, version: '1.2.3' });
const kindOf = (read: FeedRead): string => (read.kind === 'failed' ? read.reason : read.kind);

describe('a feed at a URL', () => {
  let answer: RequestListener;
  let asked: IncomingMessage['headers'];
  const server = createServer((request, response) => {
    asked = request.headers;
    answer(request, response);
  });
  let port: number;
  before(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(() => server.close());
  const plan = (more: Parameters<typeof feedPlan>[0] = {}) =>
    feedPlan({ source: { kind: 'url', at: `http://127.0.0.1:${port}/drop.txt?x=1` }, ...more });
  const read = async (more = {}, known = NO_MARK) => await reader.read(plan(more), known);

  it('comes with its mark, and is asked for with the headers of the document', async () => {
    answer = (_, response) =>
      void response
        .writeHead(200, { etag: 'W/"é"'.replace('é', 'e'), 'last-modified': 'Mon, 23 Nov 2026 06:25:01 GMT' })
        .end('192.0.2.1\n');
    const came = await read({ headers: ['X-Key', 'secret'] });
    assert.ok(came.kind === 'content');
    assert.equal(Buffer.from(came.bytes).toString(), '192.0.2.1\n');
    assert.deepEqual(came.mark, { etag: 'W/"e"', lastModified: 'Mon, 23 Nov 2026 06:25:01 GMT' });
    assert.equal(asked['x-key'], 'secret');
    assert.equal(asked['user-agent'], 'sallyport/1.2.3');
    assert.equal(asked['if-none-match'], undefined);
  });

  it('that is the same is not sent again', async () => {
    answer = (_, response) => void response.writeHead(304).end();
    assert.equal(kindOf(await read({}, { etag: '"1"', lastModified: 'Mon' })), 'same');
    assert.equal(asked['if-none-match'], '"1"');
    assert.equal(asked['if-modified-since'], undefined);
    assert.equal(kindOf(await read({}, { etag: undefined, lastModified: 'Mon' })), 'same');
    assert.equal(asked['if-modified-since'], 'Mon');
    assert.match(kindOf(await read()), /304/, 'where nothing was known, it cannot be the same');
  });

  const bad: readonly (readonly [name: string, answer: RequestListener, says: RegExp, more?: object])[] = [
    ['an error', (_, response) => void response.writeHead(503).end('192.0.2.1\n'), /503/],
    ['nothing', (_, response) => void response.writeHead(204).end(), /204/],
    ['a part', (_, response) => void response.writeHead(206).end('192.0.2.1\n'), /206/],
    [
      'a redirect',
      (_, response) => void response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
      /302: redirects are not followed/,
    ],
    [
      'compressed bytes',
      (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      /compressed/,
    ],
    [
      'more than it may be',
      (_, response) => void response.end('x'.repeat(2000)),
      /1000 bytes/,
      { maxBytes: 1000 },
    ],
    [
      'more than it may be, without an end',
      (_, response) => void setInterval(() => response.write('x'.repeat(100)), 1).unref(),
      /1000 bytes/,
      { maxBytes: 1000 },
    ],
    [
      'less than it says',
      (_, response) => {
        response.writeHead(200, { 'content-length': 100 }).write('192.0.2.1\n', () => response.destroy());
      },
      /cannot be reached|closed/,
    ],
    ['nothing at all', () => {}, /in time/, { timeoutMs: 50 }],
  ];
  for (const [name, answers, says, more] of bad) {
    it(`that answers with ${name} has failed`, async () => {
      answer = answers;
      assert.match(kindOf(await read(more)), says);
    });
  }

  it('that nobody serves has failed', async () => {
    const nowhere = plan({ source: { kind: 'url', at: 'http://127.0.0.1:1/' } });
    assert.match(kindOf(await reader.read(nowhere, NO_MARK)), /cannot be reached/);
  });

  it('whose mark cannot be sent back has none', async () => {
    answer = (_, response) => void response.writeHead(200, { etag: `"${'x'.repeat(1000)}"` }).end('');
    const came = await read();
    assert.ok(came.kind === 'content');
    assert.equal(came.mark.etag, undefined);
  });
});

describe('a feed in a file', () => {
  const path = join(folder, 'drop.txt');
  const plan = filePlan({ maxBytes: 1000 });

  it('comes with its mark, and is not read again while it is the same', async () => {
    writeFileSync(path, '192.0.2.1\n');
    const came = await reader.read(plan, NO_MARK);
    assert.ok(came.kind === 'content');
    assert.equal(came.mark.etag, await reader.stamp('drop.txt'));
    assert.equal(kindOf(await reader.read(plan, came.mark)), 'same');
    utimesSync(path, 1, 1);
    assert.equal(kindOf(await reader.read(plan, came.mark)), 'content');
  });

  it('that is not there, no file, or too long has failed', async () => {
    const at = (where: string) => filePlan({ source: { kind: 'file', at: where }, maxBytes: 1000 });
    assert.match(kindOf(await reader.read(at('none.txt'), NO_MARK)), /no such file/);
    assert.match(kindOf(await reader.read(at('.'), NO_MARK)), /regular file/);
    assert.match(kindOf(await reader.read(at('/dev/zero'), NO_MARK)), /regular file/);
    writeFileSync(path, 'x'.repeat(1001));
    assert.match(kindOf(await reader.read(plan, NO_MARK)), /1000 bytes/);
    assert.equal(await reader.stamp('none.txt'), undefined);
  });
});
