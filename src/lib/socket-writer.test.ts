import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { it } from 'node:test';
import { SocketWriter } from './socket-writer.ts';
import { WriteBatch } from './write-batch.ts';

/** A writer, the other end, and how many writes its socket saw. */
async function pair(
  run: (writer: SocketWriter, far: Socket, writes: () => number, near: Socket) => Promise<void>,
): Promise<void> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const accepted = once(server, 'connection');
  const far = connect(address.port, '127.0.0.1');
  const [near]: Socket[] = await accepted;
  let writes = 0;
  const write = near.write.bind(near);
  Object.assign(near, {
    write: (data: Uint8Array, encoding: BufferEncoding) => {
      writes++;
      return write(data, encoding);
    },
  });
  try {
    await run(new SocketWriter(near, new WriteBatch()), far, () => writes, near);
  } finally {
    near.destroy();
    far.destroy();
    server.close();
  }
}

async function read(far: Socket, length: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let have = 0;
  for await (const part of far) {
    parts.push(part);
    have += part.length;
    if (have >= length) break;
  }
  return Buffer.concat(parts);
}

it('small pieces leave as one write, in order, byte for byte', () =>
  pair(async (writer, far, writes) => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    writer.text('head\xe9');
    writer.bytes(every, 0, 256);
    writer.bytes(every, 10, 20);
    assert.equal(writes(), 0);
    writer.flush();
    writer.flush();
    assert.deepEqual([writes(), writer.written], [1, 271]);
    const expected = Buffer.concat([Buffer.from('head\xe9', 'latin1'), every, every.subarray(10, 20)]);
    assert.deepEqual(await read(far, 271), expected);
  }));

it('a large piece may be overwritten once it was handed over', () =>
  pair(async (writer, far) => {
    const shared = Buffer.alloc(20_000, 'a');
    writer.text('>');
    writer.bytes(shared, 0, shared.length);
    shared.fill('b');
    writer.flush();
    assert.equal(writer.written, 20_001);
    assert.equal((await read(far, 20_001)).toString(), `>${'a'.repeat(20_000)}`);
  }));

it('much text does not wait for the flush', () =>
  pair(async (writer, far, writes) => {
    for (let i = 0; i < 5; i++) writer.text('x'.repeat(5000));
    assert.equal(writes(), 1);
    writer.flush();
    assert.equal((await read(far, 25_000)).length, 25_000);
  }));

it('congested once the other side does not read', () =>
  pair(async (writer, far) => {
    far.pause();
    assert.equal(writer.congested, false);
    const piece = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 64 && !writer.congested; i++) writer.bytes(piece, 0, piece.length);
    assert.equal(writer.congested, true);
  }));

it('what may wait leaves with the end of the turn, once, and only if it was not written before', () =>
  pair(async (writer, far, writes) => {
    writer.text('one');
    writer.flushSoon();
    writer.text('two');
    writer.flushSoon();
    assert.equal(writes(), 0);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(writes(), 1);
    writer.text('three');
    writer.flushSoon();
    writer.flush();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(writes(), 2);
    assert.equal((await read(far, 11)).toString(), 'onetwothree');
  }));

it('a socket that was cut is not written to', () =>
  pair(async (writer, _far, writes, near) => {
    writer.text('too late');
    writer.flushSoon();
    near.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(writes(), 0);
  }));
