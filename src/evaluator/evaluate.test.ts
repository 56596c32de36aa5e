import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Attached, HandSnapshot } from '../../test/fixtures/data-plane.ts';
import { NO_STATE, NOBODY_THERE } from '../../test/fixtures/nobody-there.ts';
import { CONTINUE, type EvaluationDeps, type Policy, reject } from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';
import { parseIpAddress } from '../lib/ip-address.ts';
import { evaluate } from './evaluate.ts';

const DEPS: EvaluationDeps = {
  clock: { now: () => 0, monotonic: () => 0 },
  random: { hex: () => assert.fail('no policy here draws lots') },
  state: NO_STATE,
  ...NOBODY_THERE,
};

/** What becomes of a request, in a word or two. */
async function outcome(policies: readonly Attached[], head: string, body: string): Promise<string> {
  const limits = { headerBytes: 1000, bodyBytes: 100 };
  const [listener] = new HandSnapshot({ targets: [1], policies, limits }).listeners;
  const peer = parseIpAddress('192.0.2.1');
  assert.ok(peer);
  const request = { id: 'id', scheme: 'http', peer, head: Buffer.from(head, 'latin1') } as const;
  const judgement = await evaluate(listener, { ...request, body: Buffer.from(body) }, DEPS);
  if (judgement.kind === 'refused') return `unasked: ${judgement.error.code}`;
  const { verdict } = judgement;
  if (verdict.kind === 'forward') return 'forward';
  const by = verdict.by?.policy ?? 'the gateway';
  return verdict.kind === 'reject' ? `${verdict.error.code} by ${by}` : `${verdict.response.status} by ${by}`;
}

const HOST = 'Host: a\r\n';
const GET = `GET /a HTTP/1.1\r\n${HOST}\r\n`;

it('policies are asked in both phases, as live', async () => {
  const log: string[] = [];
  const policy: Policy = {
    request: () => {
      log.push('request');
      return CONTINUE;
    },
    requestBody: (_c, body) => {
      log.push(body.text());
      return reject(new PolicyRejection('forbidden', ''));
    },
  };
  assert.equal(await outcome([{ policy, body: 'buffer' }], GET, 'x'), 'forbidden by p0');
  assert.deepEqual(log, ['request', 'x']);
});

describe('what the codec and the gateway settle is settled offline too', () => {
  const cases: readonly (readonly [head: string, body: string, expected: string])[] = [
    [`BREW /a HTTP/1.1\r\n${HOST}\r\n`, '', 'unasked: method-not-implemented'],
    [`GET /a HTTP/1.1\r\n${HOST}${HOST}\r\n`, '', 'unasked: bad-host'],
    [`GET /%zz HTTP/1.1\r\n${HOST}\r\n`, '', 'unasked: bad-path'],
    [`GET /a HTTP/1.1\r\n${HOST}X: ${'x'.repeat(5000)}\r\n\r\n`, '', 'unasked: headers-too-large'],
    [`TRACE /a HTTP/1.1\r\n${HOST}\r\n`, '', 'unasked: method-not-allowed'],
    [`GET /a HTTP/1.1\r\n${HOST}Expect: all\r\n\r\n`, '', 'unasked: expectation-failed'],
    [`POST /a HTTP/1.1\r\n${HOST}\r\n`, 'x'.repeat(101), 'payload-too-large by the gateway'],
    [`OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, '', '204 by the gateway'],
    [GET, '', 'forward'],
  ];
  for (const [head, body, expected] of cases) {
    it(`${expected}: ${head.split('\r\n', 1)[0]}`, async () => {
      let asked = 0;
      const request = () => {
        asked++;
        return CONTINUE;
      };
      assert.equal(await outcome([{ policy: { request } }], head, body), expected);
      assert.equal(asked, expected.startsWith('unasked') ? 0 : 1);
    });
  }
});
