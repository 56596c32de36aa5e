import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LOCAL } from '../../test/fixtures/certificates.ts';
import { issuesOf } from '../../test/fixtures/config.ts';
import { freePort } from '../../test/fixtures/gateway.ts';
import { PolicyCatalog } from '../config/index.ts';
import { POLICIES } from '../policies/index.ts';
import { DocumentSources } from './document-sources.ts';

const clock = { now: () => Date.UTC(2026, 10, 23, 15), monotonic: () => 0 };

const FAILING = `sallyport: 1
listeners: [{ name: public, address: "127.0.0.1:8080" }]
tests:
  - { name: nothing is there, request: { path: /a }, expect: { status: 404 } }
  - { name: something is there, request: { path: /a }, expect: { forwarded: true } }
  - name: in steps
    steps:
      - { request: { path: /a } }
      - { request: { path: /a }, expect: { status: 200 } }
`;

let file: string;
let sources: DocumentSources;
before(async () => {
  file = path.join(await mkdtemp(path.join(tmpdir(), 'sallyport-sources-')), 'gateway.yaml');
  const catalog = new PolicyCatalog(POLICIES);
  sources = new DocumentSources({ catalog, path: file, environment: {}, clock, bound: async () => [] });
});
after(() => rm(path.dirname(file), { recursive: true }));

it('knows which listeners of a servable document speak TLS', async () => {
  await writeFile(path.join(path.dirname(file), 'local.pem'), LOCAL.cert + LOCAL.key);
  assert.deepEqual([...sources.tlsListeners], []);
  await sources.fromText(`sallyport: 1
listeners:
  - { name: plain, address: "127.0.0.1:${await freePort()}" }
  - name: secure
    address: "127.0.0.1:${await freePort()}"
    tls: { certificates: [{ cert: file:./local.pem, key: file:./local.pem }] }
`);
  assert.deepEqual([...sources.tlsListeners], ['secure']);
});

describe('a request to try', () => {
  const request = { path: '/hello', headers: { 'x-api-key': 'file:./demo.key' } };
  const listener = (more = ''): string => `{ name: a, address: "127.0.0.1:PORT"${more} }`;
  const routes = (path: string): string =>
    `routes: [{ name: r, match: { path: ${path} }, upstream: u, policies: [{ api-key: {} }] }]
upstreams: { u: { targets: ["http://127.0.0.1:9"] } }
consumers: [{ name: a, credentials: [{ api-key: { secret: file:./demo.key } }] }]`;
  const cases: readonly [name: string, letsOn: boolean, listener: string, rest: string][] = [
    ['that nothing takes', false, listener(), ''],
    ['that another path takes', false, listener(), routes('/hi')],
    [
      'over TLS',
      false,
      listener(', tls: { certificates: [{ cert: file:./local.pem, key: file:./local.pem }] }'),
      routes('/hello'),
    ],
    [
      'before which a PROXY header is due',
      false,
      listener(', proxyProtocol: required, trustedProxies: [127.0.0.1]'),
      routes('/hello'),
    ],
    ['that is let on', true, listener(), routes('/hello')],
  ];
  for (const [name, letsOn, first, rest] of cases) {
    it(name, async () => {
      await writeFile(path.join(path.dirname(file), 'demo.key'), 'k'.repeat(32));
      await writeFile(path.join(path.dirname(file), 'local.pem'), LOCAL.cert + LOCAL.key);
      await sources.fromText(
        `sallyport: 1\nlisteners: [${first.replace('PORT', String(await freePort()))}]\n${rest}\n`,
      );
      assert.equal(await sources.letsOn(request), letsOn);
    });
  }

  it('whose secret is not there', async () => {
    assert.equal(
      await sources.letsOn({ path: '/hello', headers: { 'x-api-key': 'file:./none.key' } }),
      false,
    );
  });
});

describe('a document that cannot be served', () => {
  it('says of a failing test in which line it stands and what to do', async () => {
    const issues = await issuesOf(() => sources.fromText(FAILING));
    assert.deepEqual(
      issues.map((issue) => [issue.path, issue.file, issue.line, issue.column]),
      [
        ['tests[1]', 'document', 5, 5],
        ['tests[2].steps[1]', 'document', 9, 9],
      ],
    );
    assert.ok(issues.every((issue) => issue.suggestion !== undefined));
  });

  it('names the file on disk', async () => {
    await writeFile(file, FAILING);
    const [issue] = await issuesOf(() => sources.fromDisk());
    assert.deepEqual([issue.file, issue.line], [file, 5]);
  });

  it('says in which line an address stands that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const text = `sallyport: 1\nlisteners:\n  - name: public\n    address: "127.0.0.1:${port}"\n`;
    const [issue] = await issuesOf(() => sources.fromText(text));
    taken.close();
    assert.deepEqual([issue.path, issue.line], ['listeners[0].address', 4]);
  });
});

describe('a revision of the store', () => {
  const document = async (): Promise<string> => `sallyport: 1
listeners:
  - name: secure
    address: "127.0.0.1:${await freePort()}"
    tls: { certificates: [{ cert: file:./local.pem, key: file:./local.pem }] }
routes: [{ name: r, match: { path: /** }, upstream: u, policies: [{ validate: { body: "file:./order.json" } }] }]
upstreams: { u: { targets: ["http://127.0.0.1:9"] } }
`;
  const put = (name: string, text: string) => writeFile(path.join(path.dirname(file), name), text);
  const both = LOCAL.cert + LOCAL.key;

  it('is what it was, with the files of its day', async () => {
    await put('local.pem', both);
    await put('order.json', '{"type":"object"}');
    const text = await document();
    const { revision, files } = await sources.fromText(text);
    await put('order.json', '{"type":"array"}');
    assert.notEqual((await sources.fromText(text)).revision, revision);
    const again = await sources.fromStored({ document: text, files });
    assert.equal(again.revision, revision);
    assert.equal(again.files['order.json'], '{"type":"object"}');
  });

  it('has today’s certificates, and is another by its id then', async () => {
    await put('local.pem', both);
    await put('order.json', '{"type":"object"}');
    const text = await document();
    const { revision, files } = await sources.fromText(text);
    // What a renewal leaves behind: the same names, other bytes.
    await put('local.pem', `${both}\n`);
    const again = await sources.fromStored({ document: text, files });
    assert.equal(again.files['local.pem'], `${both}\n`);
    assert.notEqual(again.revision, revision);
    assert.equal(again.documentHash, sources.documentHashOf(text));
  });

  it('is refused where a file of its day was not kept, or its certificate is gone', async () => {
    await put('local.pem', both);
    const text = await document();
    const [missing] = await issuesOf(() => sources.fromStored({ document: text, files: {} }));
    assert.match(missing.message, /order\.json/);
    await rm(path.join(path.dirname(file), 'local.pem'));
    await issuesOf(() =>
      sources.fromStored({ document: text, files: { 'order.json': '{}', 'local.pem': both } }),
    );
  });
});

describe('the document on disk', () => {
  it('is known by what it says, not by how it is written', async () => {
    await writeFile(file, 'sallyport: 1\nlisteners: [{ name: a, address: "127.0.0.1:8080" }]\n');
    const first = await sources.diskDocument();
    await writeFile(
      file,
      '# another day\nlisteners:\n  - { address: "127.0.0.1:8080", name: a }\nsallyport: 1\n',
    );
    assert.equal(await sources.diskDocument(), first);
    await writeFile(file, 'sallyport: 1\nlisteners: [{ name: b, address: "127.0.0.1:8080" }]\n');
    assert.notEqual(await sources.diskDocument(), first);
  });

  it('is unknown where it cannot be read', async () => {
    await writeFile(file, '{');
    assert.equal(await sources.diskDocument(), undefined);
    await rm(file);
    assert.equal(await sources.diskDocument(), undefined);
  });
});
