import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { values } from '../fixtures/raw-client.ts';
import { Stage, type StageParts } from './stage.ts';

/** Items 21, 22, 24: where a request comes from, where nobody but a listed proxy may say it, in whatever words. */

const HOST = 'Host: a.test\r\n';
const LOCAL = '127.0.0.1';
const SPOOFED = '198.51.100.7';

/** What proxies of all makes tell of a client; here it is said by a client that is none. */
const TOLD: readonly (readonly [name: string, value: string])[] = [
  ['Forwarded', `for=${SPOOFED};proto=https;host=evil.test`],
  ['Forwarded', `For="[::ffff:${SPOOFED}]:4711", for=evil.test`],
  ['X-Real-IP', SPOOFED],
  ['X-Real-Ip', SPOOFED],
  ['X_Real_IP', SPOOFED],
  ['X-Forwarded-For', SPOOFED],
  ['X_Forwarded_For', SPOOFED],
  ['x-forwarded_for', SPOOFED],
  ['X-Forwarded-By', SPOOFED],
  ['Client-Cert', ':ZXZpbC50ZXN0:'],
  ['Client-Cert-Chain', ':ZXZpbC50ZXN0:'],
  ['X-Forwarded-Client-Cert', 'By=evil.test;Hash=evil.test;Subject="CN=evil.test"'],
];
const FORGED = [SPOOFED, 'evil.test', 'ZXZpbC50ZXN0'];
const holdsForged = (bytes: string): boolean => FORGED.some((text) => bytes.includes(text));

describe('items 21, 22: what a client says of where it comes from', () => {
  for (const underscoreHeaders of ['reject', 'keep'] as const) {
    describe(`underscoreHeaders: ${underscoreHeaders}`, () => {
      let stage: Stage;
      before(async () => {
        stage = await Stage.open({
          listener: { underscoreHeaders },
          policies: [{ 'ip-list': { deny: [SPOOFED] } }],
        });
      });
      after(() => stage.close());

      for (const [name, value] of TOLD) {
        test(`${name}: ${value.slice(0, 20)} decides nothing and goes no further`, async () => {
          const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}${name}: ${value}\r\n\r\n`);
          const isRefused = underscoreHeaders === 'reject' && name.includes('_');
          assert.deepEqual(outcome.statuses, [isRefused ? 400 : 200]);
          assert.ok(!holdsForged(outcome.bytes), outcome.bytes);
        });

        test(`${name}: ${value.slice(0, 20)} in a trailer goes no further`, async () => {
          const body = `0\r\n${name}: ${value}\r\n\r\n`;
          const outcome = await stage.send(
            `POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTrailer: ${name}\r\n\r\n${body}`,
          );
          assert.ok(!holdsForged(outcome.bytes), outcome.bytes);
        });
      }

      test('what the gateway says cannot be nominated away', async () => {
        const outcome = await stage.send(
          `GET /c HTTP/1.1\r\n${HOST}Connection: X-Forwarded-For, X-Forwarded-Proto, keep-alive\r\n\r\n`,
        );
        assert.deepEqual(values(outcome.forwarded[0], 'x-forwarded-for'), [LOCAL]);
        assert.deepEqual(values(outcome.forwarded[0], 'x-forwarded-proto'), ['http']);
      });
    });
  }
});

describe('item 24: a proxy is itself in every spelling of its address', () => {
  const spellings = ['127.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:127.0.0.0/104', '127.0.0.0/8'];
  for (const spelling of spellings) {
    const parts: StageParts = {
      listener: { trustedProxies: [spelling] },
      policies: [{ 'ip-list': { deny: [SPOOFED] } }],
    };
    test(`trustedProxies: ${spelling}`, async () => {
      const stage = await Stage.open(parts);
      try {
        for (const value of [SPOOFED, `::ffff:${SPOOFED}`, '::FFFF:c633:6407']) {
          const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}X-Forwarded-For: ${value}\r\n\r\n`);
          assert.deepEqual(outcome.statuses, [403], value);
        }
        // Of all that such a proxy says, one field is read; what nobody read is not told to the upstream as read.
        const outcome = await stage.send(
          `GET /c HTTP/1.1\r\n${HOST}X-Forwarded-For: 192.0.2.9\r\nForwarded: for=${SPOOFED}\r\nX-Real-IP: ${SPOOFED}\r\nClient-Cert: :ZXZpbC50ZXN0:\r\n\r\n`,
        );
        assert.deepEqual(outcome.statuses, [200]);
        assert.deepEqual(values(outcome.forwarded[0], 'x-forwarded-for'), [`192.0.2.9, ${LOCAL}`]);
        assert.ok(!holdsForged(outcome.bytes), outcome.bytes);
      } finally {
        await stage.close();
      }
    });
  }

  test('no spelling makes somebody else of it', async () => {
    for (const spelling of ['::127.0.0.1', '::ffff:0:127.0.0.1', '64:ff9b::127.0.0.1', '127.0.0.2']) {
      const stage = await Stage.open({
        listener: { trustedProxies: [spelling] },
        policies: [{ 'ip-list': { deny: [SPOOFED] } }],
      });
      try {
        const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}X-Forwarded-For: ${SPOOFED}\r\n\r\n`);
        assert.deepEqual(outcome.statuses, [200], spelling);
        assert.deepEqual(values(outcome.forwarded[0], 'x-forwarded-for'), [LOCAL]);
      } finally {
        await stage.close();
      }
    }
  });
});
