import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identity, policyContext } from '../../test/fixtures/policy-context.ts';
import { Trial } from './trial.ts';

const ANN = identity({ consumer: 'ann' });

describe('a trial', () => {
  it('is nothing until it is taken', () => {
    const c = policyContext();
    const trial = new Trial(c);
    trial.provide('identity', ANN);
    trial.edits.setRequestHeader('X-A', '1');
    assert.deepEqual([c.facts.identity, c.recorded, trial.facts.identity], [undefined, [], ANN]);
    trial.take();
    trial.edits.setRequestHeader('X-B', '2');
    assert.deepEqual(c.facts.identity, ANN);
    assert.deepEqual(c.recorded, [
      ['setRequestHeader', 'X-A', '1'],
      ['setRequestHeader', 'X-B', '2'],
    ]);
  });

  it('that is given up has taken away what it had to, and nothing else', () => {
    const c = policyContext();
    const trial = new Trial(c);
    trial.provide('identity', ANN);
    trial.edits.removeRequestHeader('x-api-key');
    trial.edits.setRequestHeader('X-A', '1');
    trial.edits.removeRequestCookie('session');
    trial.edits.removeQueryParameter('key');
    trial.edits.appendResponseHeader('Set-Cookie', 'a=b');
    trial.giveUp();
    assert.equal(c.facts.identity, undefined);
    assert.deepEqual(c.recorded, [
      ['removeRequestHeader', 'x-api-key'],
      ['removeRequestCookie', 'session'],
      ['removeQueryParameter', 'key'],
    ]);
  });

  it('inside another says that who calls was established, also where it was known before', () => {
    const outer = new Trial(policyContext({ identity: ANN }));
    const inner = new Trial(outer);
    inner.provide('identity', ANN);
    inner.take();
    assert.equal(outer.identified, true);
  });

  it('that established nobody says so', () => {
    const outer = new Trial(policyContext({ identity: ANN }));
    const inner = new Trial(outer);
    inner.take();
    assert.equal(outer.identified, false);
  });
});
