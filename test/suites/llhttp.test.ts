import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { RawUpstream } from '../fixtures/raw-upstream.ts';
import {
  fetchCase,
  hostileUpstream,
  inLanes,
  present,
  type RequestOutcome,
  type ResponseOutcome,
  requestCases,
  responseCases,
  sendRequest,
} from './llhttp-runner.ts';

const skip = present ? false : 'suite not on this machine';

const METHOD = 'a method no gateway carries: answered 501';
const CODING = 'a transfer coding but chunked: this gateway decodes none';
const CONNECT = 'CONNECT is for forward proxies';
const PROTOCOL = 'RTSP and ICE are not HTTP';
const HOST = '"=" cannot stand in a host with a port';

/** What llhttp takes and we refuse, each with its reason. */
const STRICTER: Readonly<Record<string, string>> = {
  'request/method: CONNECT request': CONNECT,
  'request/method: CONNECT request with CAPS': CONNECT,
  'request/method: CONNECT with body': CONNECT,
  'request/uri: Underscore in hostname': CONNECT,
  'request/method: PRI request HTTP2': 'the preface of HTTP/2 on a connection that speaks HTTP/1.1',
  'request/content-length: Content-Length reset when no body is received':
    'the body is awaited for as long as it is announced; the case resets its parser instead',
  'request/method: M-SEARCH request': METHOD,
  'request/method: PURGE request': METHOD,
  'request/method: SOURCE request': METHOD,
  'request/method: SOURCE request with ICE': PROTOCOL,
  'request/method: OPTIONS request with RTSP': PROTOCOL,
  'request/method: ANNOUNCE request with RTSP': PROTOCOL,
  'request/sample: curl GET': HOST,
  'request/sample: Firefox GET': HOST,
  'request/sample: No HTTP version': 'HTTP/0.9 has no head to judge',
  'request/transfer-encoding: POST with `chunked` as last transfer-encoding': CODING,
  'request/transfer-encoding: POST with `chunked` as last transfer-encoding (multiple headers)': CODING,
  'request/uri: Fragment in URI': 'a fragment never travels (RFC 9112 §3.2)',
  'request/uri: `host:port` and basic auth':
    'user information in a target is deprecated and misleads (RFC 9110 §4.2.4)',
  'response/connection: HTTP 100 first, then 400': 'an empty line before a status line is not HTTP/1.1',
  'response/sample: Response starting with CRLF': 'an empty line before a status line is not HTTP/1.1',
  'response/sample: RTSP response': PROTOCOL,
  'response/sample: ICE response': PROTOCOL,
  'response/sample: HTTP version 0.9': 'HTTP/0.9 has no head',
  'response/transfer-encoding: `chunked` before other transfer-encoding': CODING,
  'response/transfer-encoding: multiple transfer-encoding where chunked is not the last one': CODING,
  'response/transfer-encoding: `chunkedchunked` transfer-encoding does not enable chunked enconding': CODING,
};

const start = async (upstream: RawUpstream): Promise<Gateway> =>
  await startGateway(
    proxyDocument({
      port: await freePort(),
      upstream: upstream.url,
      settings: { timeouts: { idle: '500ms' }, passive: { failures: 1000 } },
    }),
  );

/** Faults found, and the names of cases we are stricter with. */
class Findings {
  readonly lenient: string[] = [];
  readonly stricter = new Set<string>();
}

describe('llhttp’s own cases', { skip }, () => {
  test('requests: whatever llhttp refuses is refused, and the rest is taken or has a reason', async (t) => {
    const cases = await requestCases();
    const upstream = await RawUpstream.start();
    const gateway = await start(upstream);
    const findings = new Findings();
    await inLanes(cases.length, async (index, address) => {
      const case_ = cases[index];
      const outcome = await sendRequest(gateway.port, upstream, case_, address);
      const served = outcome.statuses.filter((status) => status === 200).length;
      if (outcome.forwarded.length > case_.whole || served > case_.whole)
        findings.lenient.push(describeCase(case_.name, outcome));
      else if (case_.refused && case_.headWhole && !outcome.closed)
        findings.lenient.push(describeCase(case_.name, outcome));
      else if (!case_.refused && outcome.statuses.some((status) => status >= 400))
        findings.stricter.add(case_.name);
      else if (!case_.refused && served < case_.whole) findings.stricter.add(case_.name);
    });
    await gateway.stop();
    await upstream.stop();
    t.diagnostic(
      `${cases.length} requests, ${cases.filter((c) => c.refused).length} refused by llhttp, ${findings.stricter.size} more by us`,
    );
    assert.ok(cases.length >= 160);
    assert.deepEqual(findings.lenient, []);
    assert.deepEqual([...findings.stricter].sort(), reasonsFor('request'));
  });

  test('answers of a hostile upstream: never a clean answer for a broken one', async (t) => {
    const cases = await responseCases();
    const upstream = await hostileUpstream(cases);
    const gateway = await start(upstream);
    const findings = new Findings();
    await inLanes(cases.length, async (index) => {
      const case_ = cases[index];
      const outcome = await fetchCase(gateway.port, index);
      const whole = outcome.clean && outcome.status !== undefined && outcome.status !== 502;
      if (case_.refused && whole) findings.lenient.push(describeCase(case_.name, outcome));
      if (!case_.refused && !whole) findings.stricter.add(case_.name);
    });
    await gateway.stop();
    await upstream.stop();
    t.diagnostic(
      `${cases.length} answers, ${cases.filter((c) => c.refused).length} refused by llhttp, ${findings.stricter.size} more by us`,
    );
    assert.ok(cases.length >= 80);
    assert.deepEqual(findings.lenient, []);
    assert.deepEqual([...findings.stricter].sort(), reasonsFor('response'));
  });
});

const describeCase = (name: string, outcome: RequestOutcome | ResponseOutcome): string =>
  `${name}: ${JSON.stringify(outcome)}`;

const reasonsFor = (kind: string): string[] =>
  Object.keys(STRICTER)
    .filter((name) => name.startsWith(`${kind}/`))
    .sort();
