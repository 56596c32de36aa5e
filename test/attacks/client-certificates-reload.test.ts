import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { OTHER } from '../fixtures/certificates.ts';
import { LISTS, NAMESAKE } from '../fixtures/client-certificates.ts';
import { eventually } from '../fixtures/process.ts';
import { values } from '../fixtures/raw-client.ts';
import { ask, BY_NAME, behind, type Client, Connection, FILES, forwarded, shows } from './certified.ts';
import { Stage } from './stage.ts';

/** Item 22: what was proved once is worth nothing once others are asked for. */

/** Changes what the document refers to, and waits until it is in force. */
async function reload(
  stage: Stage,
  files: Readonly<Record<string, string>>,
  isInForce: () => Promise<boolean>,
) {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(stage.gateway.folder, name);
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  }
  stage.gateway.process.kill('SIGHUP');
  await eventually(isInForce);
}

describe('item 22: authorities and lists that change', () => {
  const CRL = { crl: 'file:./a.crl' };
  const open = (tls: object = {}): Promise<Stage> =>
    Stage.open(
      behind({ ...CRL, ...tls }, BY_NAME, { files: { ...FILES, 'a.crl': LISTS.fresh }, workers: 1 }),
    );
  const refuses = (stage: Stage, client: Client) => async () => (await ask(stage, client)).outcome === 'cut';

  test('sessions are not resumed: none brings back what was proved before', async () => {
    for (const clientAuth of ['required', 'optional']) {
      const stage = await open({ clientAuth });
      try {
        for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
          for (const servername of ['localhost', 'other.test']) {
            const options = { maxVersion, servername, checkServerIdentity: () => undefined };
            const first = await ask(stage, 'revoked', options);
            assert.equal(first.outcome, '200');
            // Without the certificate: what is not shown again is not there.
            for (const session of first.sessions) {
              const again = await ask(stage, undefined, { ...options, session });
              assert.deepEqual(
                [again.outcome, again.isResumed],
                [clientAuth === 'required' ? 'cut' : '401', false],
              );
              const shown = await ask(stage, 'revoked', { ...options, session });
              assert.deepEqual([shown.outcome, shown.isResumed], ['200', false]);
            }
          }
        }
      } finally {
        await stage.close();
      }
    }
  });

  test('a session of before a revocation is of no use after it', async () => {
    const stage = await open();
    try {
      const sessions: Buffer[] = [];
      for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
        sessions.push(...(await ask(stage, 'revoked', { maxVersion })).sessions);
      }
      await reload(stage, { 'a.crl': LISTS.revoking }, refuses(stage, 'revoked'));
      const before = forwarded(stage);
      for (const session of sessions) {
        for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
          assert.equal((await ask(stage, 'revoked', { session, maxVersion })).outcome, 'cut');
          assert.equal((await ask(stage, undefined, { session, maxVersion })).outcome, 'cut');
        }
      }
      assert.equal(forwarded(stage), before);
      assert.equal((await ask(stage, 'orders')).outcome, '200');
    } finally {
      await stage.close();
    }
  });

  test('a kept connection ends within a second of its certificate being revoked, and drops no request', async () => {
    const stage = await open();
    try {
      const idle = await Connection.open(stage, shows('revoked'));
      const busy = await Connection.open(stage, shows('orders'));
      assert.ok(idle !== undefined && busy !== undefined);
      assert.equal(await idle.ask(), '200');
      let isOver = false;
      const asking = (async () => {
        // Until it is told to go, every request is answered.
        for (;;) {
          assert.equal(await busy.ask(), '200');
          if (values(busy.answer ?? assert.fail(), 'connection').includes('close')) break;
          await new Promise((resolve) => setImmediate(resolve));
        }
        isOver = true;
      })();
      await reload(stage, { 'a.crl': LISTS.revoking }, async () => isOver);
      await asking;
      await idle.ended();
      assert.equal(await idle.ask(), 'cut');
      assert.equal((await ask(stage, 'orders')).outcome, '200');
    } finally {
      await stage.close();
    }
  });

  test('another authority: whom it signed is let in, whom the first signed no longer', async () => {
    const stage = await Stage.open(behind({}, BY_NAME));
    try {
      const kept = await Connection.open(stage, shows('orders'));
      assert.equal(await kept?.ask(), '200');
      assert.equal((await ask(stage, 'stranger')).outcome, 'cut');
      await reload(stage, { 'ca.crt': NAMESAKE }, refuses(stage, 'orders'));
      for (const servername of ['localhost', 'other.test']) {
        const options = { servername, checkServerIdentity: () => undefined };
        assert.equal((await ask(stage, 'orders', options)).outcome, 'cut');
        assert.equal((await ask(stage, 'stranger', options)).outcome, '200');
      }
      await kept?.ended();
    } finally {
      await stage.close();
    }
  });

  test('a certificate of the gateway’s own changes without a kept connection noticing', async () => {
    const stage = await open();
    try {
      const kept = await Connection.open(stage, shows('orders'));
      assert.equal(await kept?.ask(), '200');
      const shown = async (): Promise<string | undefined> => {
        const connection = await Connection.open(stage, {
          ...shows('orders'),
          checkServerIdentity: () => undefined,
        });
        const name = connection?.socket.getPeerX509Certificate()?.subject;
        connection?.socket.destroy();
        return name;
      };
      assert.equal(await shown(), 'CN=local');
      await reload(
        stage,
        { 'local.crt': OTHER.cert, 'local.key': OTHER.key },
        async () => (await shown()) === 'CN=other',
      );
      assert.equal(await kept?.ask(), '200');
      assert.ok(!values(kept?.answer ?? assert.fail(), 'connection').includes('close'));
      kept?.socket.destroy();
    } finally {
      await stage.close();
    }
  });

  for (const [before, clients] of [
    ['asked for', { clientAuth: 'optional' }],
    ['not asked for', { clientCa: undefined }],
  ] as const) {
    test(`${before} before, certificates are required of everybody, kept connections included`, async () => {
      const stage = await Stage.open(behind(clients, []));
      try {
        const kept = await Connection.open(stage, {});
        assert.equal(await kept?.ask(), '200');
        const document = JSON.parse(await readFile(stage.gateway.configFile, 'utf8'));
        document.listeners[0].tls.clientCa = 'file:./ca.crt';
        document.listeners[0].tls.clientAuth = 'required';
        const nobody = async () => (await ask(stage, undefined)).outcome === 'cut';
        await reload(stage, { 'gateway.json': JSON.stringify(document) }, nobody);
        await kept?.ended();
        assert.equal((await ask(stage, 'orders')).outcome, '200');
      } finally {
        await stage.close();
      }
    });
  }
});
