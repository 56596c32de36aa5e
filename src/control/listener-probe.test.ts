import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { it } from 'node:test';
import { ConfigError } from '../errors.ts';
import { refuseTaken } from './listener-probe.ts';

it('refuses an address on which another program answers, also when that one shares it', async () => {
  const server = createServer((socket) => socket.destroy());
  server.listen({ host: '127.0.0.1', port: 0, reusePort: true });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    const probe = refuseTaken([{ path: 'listeners[0].address', host, port }]);
    await assert.rejects(probe, (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.issues[0].path, 'listeners[0].address');
      return true;
    });
  }
  await assert.rejects(
    refuseTaken([{ path: 'listeners[0].address', host: '127.0.0.1', port: 0 }]),
    ConfigError,
  );
  server.close();
  await once(server, 'close');
  await refuseTaken([{ path: 'listeners[0].address', host: '127.0.0.1', port }]);
});
