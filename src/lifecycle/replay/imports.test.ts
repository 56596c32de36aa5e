import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BEN, replayDocument, snapshotOf } from '../../../test/fixtures/replays.ts';
import type { RecordedRequest } from '../../contract/index.ts';
import { ImportFaults } from './import-faults.ts';
import { importHar } from './import-har.ts';
import { importLog } from './import-log.ts';
import type { ImportOptions } from './import-record.ts';
import { replay } from './replay.ts';

const OPTIONS: ImportOptions = { listener: 'public', scheme: 'http', host: 'api.example.com' };

async function read(lines: readonly string[], options: Partial<ImportOptions> = {}) {
  const faults = new ImportFaults();
  const records: RecordedRequest[] = [];
  for await (const record of importLog(lines, { ...OPTIONS, ...options }, faults)) records.push(record);
  return { records, faults };
}

const COMBINED =
  '203.0.113.7 - frank [10/Oct/2026:13:55:36 -0700] "GET /orders?page=2 HTTP/1.0" 200 2326 "http://a.example/" "Mozilla/4.08 [en]"';

describe('what is no request is counted, and told of', () => {
  const lines: readonly (readonly [line: string, why: RegExp])[] = [
    ['nonsense', /combined/],
    ['{"a":1}', /time/],
    ['{"time":"2026-11-23T00:00:00Z"}', /method/],
    ['{', /JSON/],
    ['[1]', /combined/],
    ['1.2.3.4 - - [10/Foo/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 1 "-" "-"', /time/],
    ['1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "\\x16\\x03\\x01" 400 1 "-" "-"', /request line/],
  ];
  for (const [line, why] of lines) {
    it(line, async () => {
      const { records, faults } = await read([line]);
      assert.deepEqual([records.length, faults.unreadable, faults.entries], [0, 1, 1]);
      assert.match(faults.told[0], why);
      assert.match(faults.told[0], /^line 1: /);
    });
  }

  it('and only the first are told of', async () => {
    const { faults } = await read(Array.from({ length: 100 }, () => 'x'));
    assert.deepEqual([faults.unreadable, faults.told.length], [100, 5]);
  });
});

describe('the combined log format', () => {
  it('gives a request, two fields, and nothing that it does not tell of', async () => {
    const { records } = await read([COMBINED, '']);
    const [record] = records;
    assert.equal(record.atMs, Date.parse('2026-10-10T20:55:36Z'));
    assert.deepEqual([record.method, record.target, record.httpVersion], ['GET', '/orders?page=2', '1.0']);
    assert.deepEqual(record.headers, [
      'Host',
      'api.example.com',
      'Referer',
      'http://a.example/',
      'User-Agent',
      'Mozilla/4.08 [en]',
    ]);
    assert.deepEqual(record.withheld.unknown, {
      headers: 'all',
      query: false,
      peer: false,
      certificate: false,
    });
    assert.deepEqual([record.peer, record.identity, record.outcome], ['203.0.113.7', undefined, undefined]);
    assert.deepEqual(record.upstream, { status: 200, ms: 0 });
  });

  it('an answer that a gateway may well have given says nothing of the service', async () => {
    const { records } = await read([COMBINED.replace(' 200 ', ' 403 ')]);
    assert.equal(records[0].upstream, undefined);
  });

  it('a name is no address', async () => {
    const { records } = await read([COMBINED.replace('203.0.113.7', 'host.example')]);
    assert.equal(records[0].withheld.unknown?.peer, true);
  });

  it('lines come in the order of their time', async () => {
    const later = COMBINED.replace('13:55:36', '13:55:40');
    const { records } = await read([later, COMBINED]);
    assert.ok(records[0].atMs < records[1].atMs);
  });
});

describe('JSON lines of other servers', () => {
  const cases: readonly (readonly [name: string, line: object, expected: Partial<RecordedRequest>])[] = [
    [
      'nginx',
      {
        time_iso8601: '2026-11-23T00:00:01+00:00',
        remote_addr: '203.0.113.7',
        request: 'POST /a?b=1 HTTP/2.0',
        status: 201,
        request_time: 0.25,
        http_host: 'h.example',
      },
      {
        method: 'POST',
        target: '/a?b=1',
        peer: '203.0.113.7',
        durationMs: 250,
        httpVersion: '2',
        headers: ['Host', 'h.example'],
        body: { kind: 'missing', size: 0, why: 'not-read' },
      },
    ],
    [
      'Traefik',
      {
        StartUTC: '2026-11-23T00:00:01Z',
        ClientHost: '2001:db8::1',
        RequestMethod: 'GET',
        RequestPath: '/a',
        RequestHost: 'h.example',
        DownstreamStatus: 200,
        Duration: 5_000_000,
      },
      { peer: '2001:db8::1', durationMs: 5, target: '/a', upstream: { status: 200, ms: 5 } },
    ],
    [
      'Envoy',
      {
        start_time: '2026-11-23T00:00:01Z',
        method: 'GET',
        path: '/a',
        authority: 'h.example',
        response_code: 200,
        duration_ms: 7,
        downstream_remote_address: '203.0.113.7:5000',
        request_id: 'abc',
      },
      { requestId: 'abc', peer: '203.0.113.7', durationMs: 7 },
    ],
    [
      'Caddy, which tells of all fields',
      {
        ts: 1_795_392_001.5,
        status: 200,
        duration: 0.002,
        request: {
          remote_ip: '203.0.113.7',
          method: 'GET',
          uri: '/a',
          proto: 'HTTP/1.1',
          host: 'h.example',
          headers: { Accept: ['*/*'], Authorization: ['REDACTED'] },
        },
      },
      {
        atMs: 1_795_392_001_500,
        durationMs: 2,
        headers: ['Host', 'h.example', 'Accept', '*/*', 'Authorization', ''],
        withheld: {
          headers: ['authorization'],
          query: [],
          unknown: { headers: [], query: false, peer: false, certificate: false },
        },
      },
    ],
  ];
  for (const [name, line, expected] of cases) {
    it(name, async () => {
      const { records, faults } = await read([JSON.stringify(line)]);
      assert.deepEqual(faults.told, []);
      const [record] = records;
      assert.deepEqual({ ...record, ...expected }, record);
    });
  }
});

describe('records of this gateway', () => {
  const entry = (policy: string, more: object = {}) => ({
    attachment: `route:all/${policy}`,
    policy,
    mode: 'enforce',
    phase: 'request',
    outcome: 'continue',
    ...more,
  });
  const line = (more: object) =>
    JSON.stringify({
      time: '2026-11-23T00:00:01.250Z',
      requestId: 'r-1',
      traceId: '0',
      revision: 'a'.repeat(64),
      listener: 'public',
      route: 'all',
      client: '203.0.113.7',
      method: 'GET',
      host: 'api.example.com',
      path: '/orders',
      status: 200,
      requestBytes: 0,
      responseBytes: 10,
      durationMs: 12.5,
      upstream: 'origin',
      upstreamMs: 9,
      decisions: [],
      ...more,
    });

  const cases: readonly (readonly [name: string, more: object, kind: string, code: string | undefined])[] = [
    ['went on', { decisions: [entry('acl')] }, 'forward', undefined],
    [
      'was refused',
      {
        status: 403,
        error: 'forbidden',
        upstream: undefined,
        decisions: [entry('acl', { outcome: 'reject', code: 'forbidden' })],
      },
      'reject',
      'forbidden',
    ],
    [
      'was refused in shadow only',
      { decisions: [entry('acl', { outcome: 'reject', code: 'forbidden', mode: 'shadow' })] },
      'forward',
      undefined,
    ],
    [
      'was answered',
      { status: 204, upstream: undefined, decisions: [entry('cors', { outcome: 'respond' })] },
      'respond',
      undefined,
    ],
    [
      'failed a policy and went on',
      { decisions: [entry('acl', { outcome: 'error', code: 'policy-failed' })] },
      'forward',
      undefined,
    ],
    [
      'had no route',
      { status: 404, error: 'no-route', route: '', upstream: undefined },
      'refused',
      'no-route',
    ],
    ['was not answered by the upstream', { status: 504, error: 'upstream-timeout' }, 'forward', undefined],
    [
      'had its answer withheld',
      {
        status: 502,
        error: 'response-rejected',
        decisions: [entry('dlp', { phase: 'response', outcome: 'reject', code: 'response-rejected' })],
      },
      'forward',
      undefined,
    ],
  ];
  for (const [name, more, kind, code] of cases) {
    it(`a request that ${name}`, async () => {
      const { records } = await read([line(more)]);
      assert.deepEqual([records[0].outcome?.kind, records[0].outcome?.code], [kind, code]);
    });
  }

  it('tell neither fields nor query, and of callers their names', async () => {
    const { records } = await read([line({ consumer: 'ben', credential: 'ben-1' })], {
      identityOf: (consumer, id) => (consumer === 'ben' && id === 'ben-1' ? BEN : undefined),
    });
    const [record] = records;
    assert.equal(record.identity, BEN);
    assert.deepEqual(record.withheld.unknown, {
      headers: 'all',
      query: true,
      peer: false,
      certificate: false,
    });
    assert.deepEqual(
      [record.requestId, record.durationMs, record.upstream],
      ['r-1', 12.5, { status: 200, ms: 9 }],
    );
  });
});

it('who called, as an access record tells, is who calls', async () => {
  const record = {
    time: '2026-11-23T00:00:01Z',
    requestId: 'r-1',
    revision: 'a'.repeat(64),
    listener: 'public',
    route: 'all',
    client: '203.0.113.7',
    consumer: 'ben',
    credential: 'ben-1',
    method: 'GET',
    host: 'api.example.com',
    path: '/orders',
    status: 200,
    durationMs: 1,
    upstream: 'origin',
    upstreamMs: 1,
    decisions: [],
  };
  const { records } = await read([JSON.stringify(record)], { identityOf: () => BEN });
  const snapshot = await snapshotOf(
    replayDocument([{ 'api-key': {} }, { acl: { allow: { groups: ['staff'] } } }]),
  );
  const { flips, totals } = await replay(snapshot, records);
  assert.deepEqual([totals.allowedToDenied, flips[0]?.after.code], [1, 'forbidden']);
});

describe('HTTP archives', () => {
  const entry = (headers: readonly (readonly [string, string])[], more: object = {}) => ({
    startedDateTime: '2026-11-23T00:00:01.000Z',
    time: 20,
    request: {
      method: 'GET',
      url: 'https://api.example.com/orders?a=1#top',
      httpVersion: 'h2',
      headers: headers.map(([name, value]) => ({ name, value })),
      ...more,
    },
    response: { status: 200 },
  });
  const har = (...entries: readonly unknown[]) => {
    const faults = new ImportFaults();
    return { records: importHar(JSON.stringify({ log: { entries } }), OPTIONS, faults), faults };
  };

  it('what is none is refused', () => {
    for (const text of ['', '{', '[]', '{"log":{}}'])
      assert.throws(() => importHar(text, OPTIONS, new ImportFaults()), SyntaxError);
  });

  it('entries that cannot be read are told of', () => {
    const { records, faults } = har({}, entry([], { url: 'data:text/plain,x' }), {
      ...entry([]),
      startedDateTime: 'x',
    });
    assert.deepEqual([records.length, faults.unreadable], [0, 3]);
  });

  it('give whole requests, as they were sent', () => {
    const { records } = har(
      entry(
        [
          [':method', 'GET'],
          ['Accept', '*/*'],
          ['Cookie', 'a=b'],
        ],
        { postData: { text: '{"a":1}' } },
      ),
    );
    const [record] = records;
    assert.deepEqual(record.headers, ['Host', 'api.example.com', 'Accept', '*/*', 'Cookie', 'a=b']);
    assert.deepEqual([record.scheme, record.target, record.httpVersion], ['https', '/orders?a=1', '2']);
    assert.deepEqual(record.body, { kind: 'whole', bytes: Buffer.from('{"a":1}') });
    assert.deepEqual(record.withheld.unknown, { headers: [], query: false, peer: true, certificate: true });
  });

  it('that were cleaned of credentials do not tell whether there were any', () => {
    const { records } = har(entry([['Accept', '*/*']]));
    assert.deepEqual(records[0].withheld.unknown?.headers, ['authorization', 'cookie']);
  });
});

describe('what an import does not tell of is not guessed', () => {
  const limit = (by: unknown) => ({ 'rate-limit': { limit: 9, window: '1s', by } });
  const acl = (when: string) => ({ acl: { allow: 'everyone' }, when });
  const cases: readonly (readonly [name: string, policies: readonly unknown[], undecided: boolean])[] = [
    ['a credential', [{ 'api-key': {} }], true],
    ['a field', [limit({ header: 'x-tenant' })], true],
    ['a field that a condition asks for', [acl('request.headers["x-a"] == "1"')], true],
    ['whether there was a field', [acl('"x-a" in request.headers')], true],
    ['a token', [{ 'any-of': [{ 'basic-auth': {} }, { 'api-key': {} }] }], true],
    ['the address, which it tells', [limit('address')], false],
    ['the query, which it tells', [acl('request.query["page"] == "2" && !("x" in request.query)')], false],
    ['a field that it tells', [acl('request.headers["user-agent"] != "x"')], false],
    ['a rule about paths', [{ acl: { allow: 'everyone', deny: { paths: ['/no'] } } }], false],
  ];
  for (const [name, policies, isUndecided] of cases) {
    it(name, async () => {
      const { records } = await read([COMBINED]);
      const snapshot = await snapshotOf(replayDocument(policies));
      const { undecided, totals } = await replay(snapshot, records);
      assert.deepEqual(
        [undecided.map(({ reason }) => reason), totals.allowed],
        isUndecided ? [['unknown'], 0] : [[], 1],
      );
    });
  }

  it('a host', async () => {
    const { records } = await read([COMBINED], { host: undefined });
    const snapshot = await snapshotOf(replayDocument([]));
    assert.equal((await replay(snapshot, records)).totals.undecided, 1);
  });

  it('an address', async () => {
    const { records } = await read([COMBINED.replace('203.0.113.7', 'host.example')]);
    const snapshot = await snapshotOf(replayDocument([limit('address')]));
    assert.equal((await replay(snapshot, records)).totals.undecided, 1);
    const assumed = await read([COMBINED.replace('203.0.113.7', 'host.example')], { peer: '203.0.113.9' });
    assert.equal((await replay(snapshot, assumed.records)).totals.allowed, 1);
  });
});
