import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { Deadlines } from '../lib/deadlines.ts';
import { parseIpAddress } from '../lib/ip-address.ts';
import { Handshakes } from './handshakes.ts';

/** A socket between two ends, without a network. */
function socketBetween(remotePort: number, localAddress: string): Socket {
  const ends = { remoteAddress: '192.0.2.1', remotePort, localAddress, localPort: 443 };
  const fields = Object.entries(ends).map(([name, value]) => [name, { value }]);
  return Object.defineProperties(new Socket(), Object.fromEntries(fields));
}

const address = (text: string) => parseIpAddress(text) ?? assert.fail(text);
const carrier = (below: Socket, peer: string) => ({ below, peer: address(peer), isNamed: true, rules: '' });

describe('Handshakes', () => {
  let nowMs = 0;
  const deadlines = new Deadlines(() => nowMs);
  afterEach(() => {
    nowMs = 0;
  });

  it('tells connections apart that come from one port to several of our addresses', () => {
    const handshakes = new Handshakes(deadlines);
    const [a, b] = [socketBetween(5000, '127.0.0.1'), socketBetween(5000, '127.0.0.2')];
    handshakes.begin(carrier(a, '198.51.100.1'), 1000);
    handshakes.begin(carrier(b, '198.51.100.2'), 1000);
    assert.equal(handshakes.size, 2);
    assert.equal(handshakes.finish(socketBetween(5000, '127.0.0.1'))?.peer.text, '198.51.100.1');
    assert.equal(handshakes.finish(socketBetween(5000, '127.0.0.2'))?.below, b);
    assert.equal(handshakes.finish(socketBetween(5000, '127.0.0.2')), undefined);
    assert.equal(handshakes.size, 0);
  });

  it('cuts those that take too long, and no others', () => {
    const handshakes = new Handshakes(deadlines);
    const [slow, done] = [socketBetween(5000, '127.0.0.1'), socketBetween(5001, '127.0.0.1')];
    handshakes.begin(carrier(slow, '198.51.100.1'), 1000);
    handshakes.begin(carrier(done, '198.51.100.1'), 1000);
    handshakes.finish(done);
    nowMs = 2000;
    deadlines.sweep();
    assert.deepEqual([slow.destroyed, done.destroyed], [true, false]);
  });
});
