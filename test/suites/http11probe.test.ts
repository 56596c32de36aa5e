import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, startGateway } from '../fixtures/gateway.ts';
import { probeDocument } from './http11probe-document.ts';
import { present, runSuite, startEcho, tally } from './http11probe-runner.ts';

const MOST_WARNINGS = 20;

/** Cases whose warning is accepted, each with its reason: `| CASE | seen | reason |` lines of the page beside this file. */
function explained(): string[] {
  const page = readFileSync(join(import.meta.dirname, 'http11probe.md'), 'utf8');
  return [...page.matchAll(/^\| ([A-Z][A-Z0-9.-]+) +\| [^|]+ \| [^|]{20,} \|$/gm)].map((match) => match[1]);
}

test('the HTTP/1.1 probe suite through the live gateway', {
  skip: present ? false : 'suite not on this machine',
}, async (t) => {
  const upstream = await startEcho();
  const gateway = await startGateway(probeDocument(await freePort(), upstream.port));
  const results = await runSuite(gateway.port);
  await gateway.stop();
  await upstream.stop();
  const scored = results.filter((r) => r.scored);
  const counts = tally(scored);
  const compared = tally(results.filter((r) => r.comparable));
  t.diagnostic(`scored: ${counts.pass} pass, ${counts.warn} warn, ${counts.fail} fail`);
  t.diagnostic(
    `of those with published figures: ${compared.pass} pass, ${compared.warn} warn, ${compared.fail} fail`,
  );
  assert.ok(scored.length >= 160, `only ${scored.length} scored cases`);
  assert.deepEqual(
    scored.filter((r) => r.verdict === 'fail').map((r) => `${r.id}: ${r.seen}, expected ${r.expected}`),
    [],
  );
  const warned = scored.filter((r) => r.verdict === 'warn').map((r) => r.id);
  assert.ok(warned.length <= MOST_WARNINGS, `${warned.length} warnings`);
  assert.deepEqual(
    warned.sort(),
    explained().sort(),
    'every warning has its reason, and no reason is out of date',
  );
});
