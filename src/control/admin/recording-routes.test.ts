import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InjectOptions } from 'fastify';
import { AUTH, type Case, check, makeWorld } from '../../../test/fixtures/admin.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const headers = { ...AUTH, host: 'localhost:8090', ...JSON_TYPE };
const clear = (body: unknown, more: object = headers): InjectOptions => ({
  method: 'POST',
  url: '/api/recordings/clear',
  headers: { ...more },
  payload: JSON.stringify(body),
});

describe('a recording over the API', () => {
  it('is told to nobody, and cleared by nobody, who does not show the token, or asks wrongly', async () => {
    const { app } = await makeWorld();
    const cases: Case[] = [
      ['nobody looks', { url: '/api/recordings' }, [401, 'unauthenticated']],
      ['nobody clears', clear({}, JSON_TYPE), [401, 'unauthenticated']],
      ['a filter', { url: '/api/recordings?id=1', headers }, [400, 'invalid-request']],
      ['a clearing with more', clear({ all: true }), [400, 'invalid-request']],
      ['a time that is none', clear({ before: 'yesterday' }), [400, 'invalid-request']],
      ['a day that is none', clear({ before: '2026-02-30T00:00:00Z' }), [400, 'invalid-request']],
      ['a reason that writes into a terminal', clear({ reason: '\u001b[2J' }), [400, 'invalid-request']],
    ];
    await check(app, cases);
  });

  it('says how much there is', async () => {
    const { app } = await makeWorld();
    const answer = await app.inject({ url: '/api/recordings', headers });
    assert.deepEqual(answer.json(), {
      files: 0,
      bytes: 0,
      from: null,
      to: null,
      requests: 0,
      records: 0,
      completeIntervals: 0,
      sampledIntervals: 0,
      torn: 0,
      tampered: 0,
      foreign: 0,
    });
  });

  it('is cleared where it can be told of', async () => {
    const { app } = await makeWorld();
    const answer = await app.inject(clear({ before: '2026-01-01T00:00:00Z', reason: 'test' }));
    assert.deepEqual(
      [answer.statusCode, answer.json()],
      [200, { deletedFiles: 0, deletedBytes: 0, bytes: 0 }],
    );
    const without = await makeWorld({ store: () => undefined });
    assert.equal((await without.app.inject(clear({}))).statusCode, 503);
  });
});
