import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { unweighted } from '../../test/fixtures/recording/stage.ts';
import type { RecordedBody } from '../contract/index.ts';
import { readRecord, recordLine, type Unweighted, weighted } from './record-line.ts';

const again = (record: Unweighted) => readRecord(weighted(recordLine(record), 3));

describe('a record as a line', () => {
  const outcome = {
    kind: 'reject',
    status: 403,
    route: 'orders',
    by: 'route:orders/acl',
    policy: 'acl',
    code: 'forbidden',
    rule: 'groups',
  } as const;
  const decision = {
    attachment: 'route:orders/acl',
    policy: 'acl',
    mode: 'enforce',
    phase: 'request',
  } as const;
  const cases: readonly (readonly [string, Partial<Unweighted>])[] = [
    ['that passed', {}],
    ['without anything known', { outcome: undefined, identity: undefined, upstream: undefined }],
    [
      'with who called',
      { identity: { consumer: 'app', groups: ['a'], scopes: [], claims: { sub: 'é"\n' } } },
    ],
    [
      'that was refused',
      {
        outcome,
        decisions: [
          { ...decision, outcome: 'reject', code: 'forbidden', rule: 'groups', reason: 'not "in" it' },
        ],
      },
    ],
    [
      'with a rule and no code',
      {
        decisions: [
          { ...decision, outcome: 'continue', rule: 'first' },
          { ...decision, outcome: 'skipped' },
        ],
      },
    ],
    [
      'with what is withheld',
      { withheld: { headers: ['cookie'], query: ['key'], path: true, claims: ['token'] } },
    ],
    ['of an upstream', { upstream: { status: 204, ms: 0.75 } }],
    ['with a body that is missing', { body: { kind: 'missing', size: 123_456, why: 'too-large' } }],
    ['with line feeds where they may not be', { target: '/a\nb', requestId: 'x\ny' }],
    [
      'with a certificate',
      {
        certificate: {
          subject: 'CN=a',
          commonName: 'a',
          issuer: 'CN=ca',
          serial: '1f',
          names: { dns: ['a.example'], uris: [], emails: [] },
          thumbprint: 't',
          expiresAtMs: 5,
        },
      },
    ],
  ];
  for (const [name, more] of cases) {
    it(`comes back as it was: ${name}`, () => {
      const record = unweighted(more);
      assert.deepEqual(again(record), { ...record, weight: 3 });
      assert.ok(!recordLine(record).includes('\n'), 'one line');
    });
  }

  it('keeps every byte of a body', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { body }: { body: RecordedBody } = again(unweighted({ body: { kind: 'whole', bytes } }));
        assert.ok(body.kind === 'whole');
        assert.deepEqual(Buffer.from(body.bytes), Buffer.from(bytes));
      }),
    );
  });

  it('keeps every text', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const line = Buffer.from(weighted(recordLine(unweighted({ headers: texts })), 1));
        assert.deepEqual(readRecord(line.toString('utf8')).headers, texts);
      }),
    );
  });
});
