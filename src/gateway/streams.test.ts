import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it } from 'node:test';
import { Plane, settled } from '../../test/fixtures/data-plane.ts';
import { RawUpstream } from '../../test/fixtures/raw-upstream.ts';
import { CONTINUE } from '../contract/index.ts';

const CLIENTS = 24;
const BODY_BYTES = 300_000;

/** Bytes that differ for each client and place, so that a mix-up of any two shows. */
function bodyOf(client: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i * 32 < BODY_BYTES; i++)
    parts.push(createHash('sha256').update(`${client}/${i}`).digest());
  return Buffer.concat(parts).subarray(0, BODY_BYTES);
}

const chunked = (body: Buffer): Buffer => {
  const parts: Buffer[] = [];
  for (let at = 0, size = 1; at < body.length; at += size, size = (size * 7) % 9973) {
    const piece = body.subarray(at, at + size);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
};

for (const [name, policies] of [
  ['streamed', []],
  ['buffered for a policy', [{ policy: { requestBody: () => CONTINUE }, body: 'buffer' }]],
  [
    'behind slow response policies',
    [{ policy: { response: async () => CONTINUE, responseChunk: async () => CONTINUE } }],
  ],
] as const) {
  it(`many bodies at once, ${name}: each comes back as it was sent`, async () => {
    const upstream = await RawUpstream.start({
      answer: (socket, { body }, i) => {
        const framed = i % 2 === 0;
        socket.write(
          `HTTP/1.1 200 OK\r\n${framed ? `Content-Length: ${body.length}` : 'Transfer-Encoding: chunked'}\r\n\r\n`,
        );
        socket.write(framed ? body : chunked(body));
      },
    });
    const plane = await Plane.start({ targets: [upstream.port], policies });
    try {
      await Promise.all(
        Array.from({ length: CLIENTS }, async (_, i) => {
          const client = await plane.connect();
          for (const round of [1, 2]) {
            const body = bodyOf(i * 2 + round);
            const asChunks = (i + round) % 2 === 0;
            const framing = asChunks ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
            client.send(`POST / HTTP/1.1\r\nHost: a.test\r\n${framing}\r\n\r\n`);
            const sent = asChunks ? chunked(body) : body;
            for (let at = 0; at < sent.length; at += 50_001) {
              client.send(sent.subarray(at, at + 50_001));
              await new Promise((resolve) => setImmediate(resolve));
            }
            const response = await client.response(round);
            assert.ok(response?.complete, `client ${i}, round ${round}`);
            assert.ok(response.body.equals(body), `client ${i}, round ${round}`);
          }
        }),
      );
      await plane.close();
    } finally {
      plane.abandon();
      await upstream.stop();
    }
  });
}

it('tunnels at once keep their bytes apart', async () => {
  const upstream = await RawUpstream.start({
    answer: (socket) => {
      socket.write('HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.on('data', (bytes) => socket.write(bytes));
    },
  });
  const plane = await Plane.start({ targets: [upstream.port] });
  try {
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, i) => {
        const client = await plane.connect();
        client.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
        await client.response();
        const head = client.received.length;
        const body = bodyOf(i);
        for (let at = 0; at < body.length; at += 9_973) client.send(body.subarray(at, at + 9_973));
        await settled(() => client.received.length >= head + body.length, `client ${i}`, 10_000);
        assert.ok(client.received.subarray(head).equals(body), `client ${i}`);
      }),
    );
    await plane.close();
  } finally {
    plane.abandon();
    await upstream.stop();
  }
});
