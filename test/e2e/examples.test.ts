import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { exampleNames } from '../../examples/run.ts';
import { Program, ROOT } from '../fixtures/process.ts';

const RUNNER = path.join(ROOT, 'examples/run.ts');

describe('examples', () => {
  for (const name of exampleNames()) {
    it(`${name}: the whole story holds`, async () => {
      const story = new Program([name], { program: RUNNER, patienceMs: 120_000 });
      assert.equal(await story.exit(), 0, `${story.stdout}\n${story.stderr}`);
    });
  }

  it('an unknown one is wrong usage', async () => {
    const runner = new Program(['no-such-example'], { program: RUNNER });
    assert.equal(await runner.exit(), 2);
    assert.match(runner.stderr, /quickstart/);
  });
});
