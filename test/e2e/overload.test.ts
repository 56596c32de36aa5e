import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { eventually } from '../fixtures/process.ts';
import { RawClient, statusOf, values } from '../fixtures/raw-client.ts';
import { ok, RawUpstream } from '../fixtures/raw-upstream.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
const MANY = 200;

describe('a gateway without memory for anybody', () => {
  let upstream: RawUpstream;
  let gateway: Gateway;
  before(async () => {
    upstream = await RawUpstream.start({ answer: ok() });
    const document = proxyDocument({
      port: await freePort(),
      upstream: upstream.url,
      // No process is so small.
      document: { overload: { memory: '1MB', retryAfter: '7s' } },
    });
    gateway = await startGateway(document, { admin: true, workers: 1 });
  });
  after(async () => {
    await gateway.stop();
    await upstream.stop();
  });

  /** So many at once on one connection: those that come alone would be served. */
  async function flood(): Promise<RawClient> {
    const client = await RawClient.connect(gateway.port);
    client.send(GET.repeat(MANY));
    assert.ok(await client.response(MANY));
    return client;
  }

  it('refuses many that come together, and says when to come again', async () => {
    await eventually(async () => {
      const client = await flood();
      const refused = client.responses.filter((answer) => statusOf(answer) === 503);
      client.close();
      if (refused.length < MANY / 2) return false;
      assert.deepEqual(values(refused[0], 'retry-after'), ['7']);
      return true;
    });
  });

  it('serves who comes alone', async () => {
    await eventually(async () => {
      const client = await RawClient.connect(gateway.port);
      client.send(GET);
      const answer = await client.response();
      client.close();
      return answer !== undefined && statusOf(answer) === 200;
    });
  });

  it('answers its operator, who sees it', async () => {
    const flooding = [flood(), flood(), flood()];
    assert.equal((await gateway.admin('GET', '/api/status')).status, 200);
    for (const client of await Promise.all(flooding)) client.close();
    const text = await (await gateway.admin('GET', '/metrics')).text();
    assert.match(text, /^sallyport_requests_shed_total\{listener="public",priority="normal"\} [1-9]/m);
    assert.match(text, /^sallyport_requests_shed_total\{listener="public",priority="critical"\} 0$/m);
    assert.ok(gateway.output.includes('"event":"overload-began"'));
  });
});
