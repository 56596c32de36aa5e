import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BufferedBody } from './body.ts';

describe('a buffered body', () => {
  it('undecidable text and JSON throw, and say nothing of the content', () => {
    assert.throws(() => new BufferedBody(Buffer.from([0xff])).text(), TypeError);
    for (const text of ['', 'secret', '{"a":secret}', '{}x', '\ufeff{}']) {
      assert.throws(
        () => new BufferedBody(Buffer.from(text)).json(),
        (error) => error instanceof SyntaxError && !error.message.includes('secret'),
      );
    }
  });
  it('JSON is parsed once', () => {
    const body = new BufferedBody(Buffer.from('{"a":1}'));
    assert.deepEqual(body.json(), { a: 1 });
    assert.equal(body.json(), body.json());
  });
});
