/**
 * Scores a server with the HTTP/1.1 probe suite: `node test/suites/score.ts nginx|haproxy|node|gateway|PORT`.
 * Peers are scored the same way as the gateway, so that the runner itself can be checked against known figures.
 */
import { spawn } from 'node:child_process';
import { startHaproxy } from '../../bench/peers/haproxy.ts';
import { startNginx } from '../../bench/peers/nginx.ts';
import { listens, stopProcess } from '../../bench/peers/peer.ts';
import { freePort, startGateway } from '../fixtures/gateway.ts';
import { probeDocument } from './http11probe-document.ts';
import { runSuite, startEcho, tally } from './http11probe-runner.ts';

const NODE_SERVER = `require('http').createServer((q, s) => {
  const parts = []; q.on('data', (d) => parts.push(d)); q.on('end', () => {
    const body = Buffer.concat(parts);
    if (q.url === '/echo') { let t = ''; for (let i = 0; i < q.rawHeaders.length; i += 2) t += q.rawHeaders[i] + ': ' + q.rawHeaders[i+1] + '\\n'; s.end(t); return; }
    s.setHeader('content-type', 'text/plain'); s.end(body.length ? body : 'OK');
  });
}).listen(+process.argv[1], '127.0.0.1')`;

interface Subject {
  readonly port: number;
  stop(): Promise<void>;
}

async function start(name: string, upstreamPort: number): Promise<Subject> {
  const port = await freePort();
  if (name === 'nginx') return await startNginx({ port, upstreamPort });
  if (name === 'haproxy') return await startHaproxy({ port, upstreamPort });
  if (name === 'gateway') return await startGateway(probeDocument(port, upstreamPort));
  if (name !== 'node') return { port: Number(name), stop: async () => {} };
  const child = spawn(process.env.SCORE_NODE ?? process.execPath, ['-e', NODE_SERVER, String(port)]);
  await listens(port, child, () => '');
  return { port, stop: () => stopProcess(child) };
}

const name = process.argv[2] ?? 'gateway';
const upstream = await startEcho();
const subject = await start(name, upstream.port);
const results = await runSuite(subject.port);
await subject.stop();
await upstream.stop();
for (const r of results) {
  if (r.verdict !== 'pass')
    console.log(`${r.verdict}${r.scored ? '' : ' (unscored)'} ${r.id}: ${r.seen}, expected ${r.expected}`);
}
console.log(name, 'comparable', tally(results.filter((r) => r.comparable)));
console.log(name, 'scored', tally(results.filter((r) => r.scored)));
