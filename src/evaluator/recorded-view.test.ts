import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HandSnapshot } from '../../test/fixtures/data-plane.ts';
import { recorded } from '../../test/fixtures/replays.ts';
import type { RecordedRequest, RequestView } from '../contract/index.ts';
import { RequestError } from '../errors.ts';
import { RecordedHead, recordedView } from './recorded-view.ts';
import { Unanswered } from './unanswered.ts';

const [LISTENER] = new HandSnapshot({
  targets: [1],
  listener: { trusts: ({ text }) => text === '192.0.2.250' },
}).listeners;

function seen(more: Partial<RecordedRequest>) {
  const unanswered = new Unanswered();
  const view = recordedView(new RecordedHead(recorded(more)), LISTENER, unanswered);
  return { view, unanswered };
}

function viewOf(more: Partial<RecordedRequest>): { view: RequestView; unanswered: Unanswered } {
  const { view, unanswered } = seen(more);
  assert.ok(view !== undefined && !(view instanceof RequestError));
  return { view, unanswered };
}

describe('a recorded request is refused as it would be live', () => {
  const cases: readonly (readonly [name: string, more: Partial<RecordedRequest>, code: string])[] = [
    ['no host', { headers: [] }, 'bad-host'],
    ['a path of two readings', { target: '/a/%2e%2e%2fb' }, 'bad-path'],
    ['an underscore', { headers: ['Host', 'a', 'X_A', '1'] }, 'header-underscore'],
    ['another method', { headers: ['Host', 'a', 'X-HTTP-Method-Override', 'PUT'] }, 'method-override'],
    [
      'no address forwarded',
      { peer: '192.0.2.250', headers: ['Host', 'a', 'X-Forwarded-For', 'x'] },
      'malformed-request',
    ],
  ];
  for (const [name, more, code] of cases) {
    it(name, () => {
      const { view } = seen(more);
      assert.ok(view instanceof RequestError);
      assert.equal(view.code, code);
    });
  }

  it('one of no connection is none', () => assert.equal(seen({ peer: 'x' }).view, undefined));
});

/** Ways to look at fields, for which no policy has to be trusted. */
const LOOKS: readonly (readonly [name: string, look: (view: RequestView) => unknown])[] = [
  ['get', ({ headers }) => headers.get('authorization')],
  ['getAll', ({ headers }) => headers.getAll('authorization')],
  ['sole', ({ headers }) => headers.sole('authorization')],
  ['the flat list', ({ headers }) => headers.flat.join()],
  ['one of the flat list', ({ headers: { flat } }) => flat[flat.indexOf('Authorization') + 1]],
  ['a copy of the flat list', ({ headers }) => [...headers.flat]],
  ['an iteration', ({ headers }) => [...headers]],
  ['a copy', ({ headers }) => headers.clone().get('authorization')],
  ['the copy’s flat list', ({ headers }) => headers.clone().flat.slice()],
  ['JSON', ({ headers }) => JSON.stringify(headers.flat)],
];

describe('every way to look at a field that was left out is noted', () => {
  const more = {
    headers: ['Host', 'a', 'Authorization', '', 'Accept', '*/*'],
    withheld: { headers: ['authorization'], query: [] },
  };
  for (const [name, look] of LOOKS) {
    it(name, () => {
      const { view, unanswered } = viewOf(more);
      look(view);
      assert.deepEqual(unanswered.reasons, ['credential']);
    });
  }

  it('that it was there tells nothing', () => {
    const { view, unanswered } = viewOf(more);
    const { headers } = view;
    assert.deepEqual(
      [headers.has('authorization'), headers.count('authorization'), headers.has('x'), headers.size],
      [true, 1, false, 3],
    );
    assert.deepEqual([headers.get('accept'), headers.flat[5], headers.getAll('cookie')], ['*/*', '*/*', []]);
    assert.deepEqual(unanswered.reasons, []);
  });
});

describe('so is a look at a query of which something was left out', () => {
  const more = { target: '/a?key=&b=1', withheld: { headers: [], query: ['key'] } };
  for (const name of ['query', 'target'] as const) {
    it(name, () => {
      const { view, unanswered } = viewOf(more);
      assert.equal(view.path, '/a');
      assert.deepEqual(unanswered.reasons, []);
      assert.match(view[name], /key=&b=1/);
      assert.deepEqual(unanswered.reasons, ['credential']);
    });
  }
});

describe('what an import does not tell of', () => {
  const unknown = { headers: 'all', query: true, peer: true, certificate: true } as const;
  const more = { peer: '', withheld: { headers: [], query: [], unknown } };
  const looks: readonly (readonly [name: string, look: (view: RequestView) => unknown])[] = [
    ...LOOKS.filter(([name]) => name !== 'one of the flat list'),
    ['whether there was a field', ({ headers }) => headers.has('x')],
    ['how often', ({ headers }) => headers.count('x')],
    ['how many', ({ headers }) => headers.size],
    ['the query', ({ query }) => query],
    ['the target', ({ target }) => target],
    ['the client', ({ client }) => client.text],
    ['the peer', ({ peer }) => peer.text],
    ['the certificate', ({ certificate }) => certificate],
  ];
  for (const [name, look] of looks) {
    it(`${name} is noted`, () => {
      const { view, unanswered } = viewOf(more);
      look(view);
      assert.deepEqual(unanswered.reasons, ['unknown']);
    });
  }

  it('what it tells is not', () => {
    const { view, unanswered } = viewOf(more);
    assert.deepEqual(
      [view.headers.get('host'), view.method, view.path],
      ['api.example.com', 'GET', '/orders'],
    );
    assert.deepEqual(unanswered.reasons, []);
  });
});

it('how long a body was is known where the client said so', () => {
  const bytes = (more: Partial<RecordedRequest>) => new RecordedHead(recorded(more)).bodyBytes;
  const missing = { kind: 'missing', size: 3, why: 'not-read' } as const;
  assert.equal(bytes({ body: { kind: 'none' } }), 0);
  assert.equal(bytes({ body: { kind: 'whole', bytes: Buffer.from('ab') } }), 2);
  assert.equal(bytes({ body: missing }), 3);
  assert.equal(bytes({ body: missing, headers: ['Host', 'a', 'Content-Length', '900'] }), 900);
  assert.equal(bytes({ body: missing, headers: ['Host', 'a', 'Content-Length', '9e9'] }), 3);
});
