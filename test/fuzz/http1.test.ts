import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './compare.ts';

const CASES = 12_000;

test('whatever our codec accepts, llhttp accepts with the same meaning', async () => {
  const report = await fuzz(1, (cases) => cases < CASES);
  assert.deepEqual(report.disagreements, []);
  assert.equal(report.cases, CASES);
  assert.ok(report.accepted > CASES / 4, `only ${report.accepted} messages were accepted`);
});
