import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Refusals } from './refusals.ts';

describe('Refusals', () => {
  it('count each, and tell the log of each cause once a minute', () => {
    const counts = new Map<string, number>();
    const told: unknown[] = [];
    let nowMs = 0;
    const noGauge = (): never => assert.fail('only counters are asked for');
    const refusals = new Refusals({
      meter: {
        counter: (name, labels) => ({
          add: (n) => {
            const key = [name, ...Object.values(labels ?? {})].join(' ');
            counts.set(key, (counts.get(key) ?? 0) + n);
          },
        }),
        gauge: noGauge,
        histogram: noGauge,
      },
      log: { info: noGauge, error: noGauge, warn: (event, fields) => void told.push([event, fields]) },
      now: () => nowMs,
    });
    for (let i = 0; i < 3; i++) refusals.count('l', 'connections');
    for (let i = 0; i < 3; i++) refusals.count('l', 'client-certificate', 'none');
    for (let i = 0; i < 3; i++) refusals.count('l', 'client-certificate', 'CRL_HAS_EXPIRED');
    for (let i = 0; i < 3; i++) refusals.count('l', 'proxy-untrusted', 'peer', `192.0.2.${i}`);
    nowMs = 59_999;
    refusals.count('l', 'client-certificate', 'none');
    assert.deepEqual(
      [...counts],
      [
        ['sallyport_connections_refused_total l connections', 3],
        ['sallyport_connections_refused_total l client-certificate', 7],
        ['sallyport_connections_refused_total l proxy-untrusted', 3],
      ],
    );
    const event = (reason: string, cause: string, more: object = {}) => [
      'connection-refused',
      { listener: 'l', reason, cause, ...more },
    ];
    assert.deepEqual(told, [
      event('client-certificate', 'none'),
      event('client-certificate', 'CRL_HAS_EXPIRED'),
      event('proxy-untrusted', 'peer', { peer: '192.0.2.0' }),
    ]);
    nowMs = 60_000;
    refusals.count('l', 'client-certificate', 'none');
    assert.equal(told.length, 4);
  });
});
