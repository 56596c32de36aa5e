import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { METRICS, type MetricDefinition } from '../../src/observability/metric-table.ts';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';

/** Cannot be brought about from outside: routes and attachments are far below its cap. */
const NEVER_HERE = 'sallyport_metric_series_refused_total';

describe('the table of metrics', () => {
  const upstream = createServer((_, response) => void response.end('ok'));
  let gateway: Gateway;
  before(async () => {
    await once(upstream.listen(0, '127.0.0.1'), 'listening');
    const { port } = upstream.address() as AddressInfo;
    const document = proxyDocument({
      port: await freePort(),
      upstream: `http://127.0.0.1:${port}`,
      policies: [
        { headers: { response: { set: { 'x-a': 'b' } } } },
        // Who sends no such header cannot be told apart by it.
        { 'rate-limit': { limit: 1000, window: '1m', by: { header: 'x-tenant' } } },
      ],
      document: { lists: { drop: { source: 'file:./drop.txt' } } },
    });
    gateway = await startGateway(document, {
      admin: true,
      records: 'stdout',
      // Nobody is there: that is told too.
      arguments: ['--state', `redis://127.0.0.1:${await freePort()}`],
      files: { 'drop.txt': '203.0.113.0/24\n' },
    });
  });
  after(async () => {
    await gateway.stop();
    upstream.close();
  });

  const hasAllLabels = (text: string, { name, labels }: MetricDefinition): boolean => {
    const series = text.split('\n').filter((line) => new RegExp(`^${name}(_count)?[{ ]`).test(line));
    return series.some((line) => labels.every((label) => line.includes(`${label}="`)));
  };

  it('promises no metric and no label that is never told', async () => {
    await (await fetch(`http://127.0.0.1:${gateway.port}/`)).text();
    const socket = connect(gateway.port, '127.0.0.1');
    socket.end('not HTTP\r\n\r\n').resume();
    await once(socket, 'close');
    const text = await (await gateway.admin('GET', '/metrics')).text();
    const missing = METRICS.filter((metric) => metric.name !== NEVER_HERE && !hasAllLabels(text, metric));
    assert.deepEqual(
      missing.map(({ name }) => name),
      [],
    );
  });
});
