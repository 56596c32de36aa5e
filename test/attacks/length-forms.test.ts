import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { values } from '../fixtures/raw-client.ts';
import { Stage } from './stage.ts';

/** Lengths the grammar allows in odd spellings are written anew, so that no upstream reads them as octal or not at all. */

let stage: Stage;
before(async () => {
  stage = await Stage.open();
});
after(() => stage.close());

const FORMS: readonly (readonly [sent: string, forwarded: string])[] = [
  ['005', '5'],
  ['\t5', '5'],
  ['5 \t', '5'],
  ['00', '0'],
  ['010', '10'],
];

describe('a length is forwarded as a plain number', () => {
  for (const [sent, forwarded] of FORMS) {
    test(JSON.stringify(sent), async () => {
      const body = 'x'.repeat(Number(forwarded));
      const outcome = await stage.send(
        `POST /c HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${sent}\r\n\r\n${body}`,
      );
      assert.deepEqual(outcome.statuses, [200]);
      const lengths = values(outcome.forwarded[0], 'content-length');
      assert.ok(lengths.length === 0 ? forwarded === '0' : lengths[0] === forwarded, `${lengths}`);
      assert.equal(outcome.forwarded[0].body.toString(), body);
    });
  }
});
