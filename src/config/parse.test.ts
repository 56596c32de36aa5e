import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { issuesOf } from '../../test/fixtures/config.ts';
import { MAX_DOCUMENT_BYTES, parseDocument } from './parse.ts';

const refusal = async (text: string) => issuesOf(() => parseDocument(text, 'gateway.yaml'));
const messages = async (text: string): Promise<string> =>
  (await refusal(text)).map((i) => `${i.path}: ${i.message}`).join('\n');

describe('parseDocument refuses', () => {
  const levels = (n: number, leaf: string) =>
    Array.from(
      { length: n },
      (_, i) => `a${i}: &a${i} [${Array(9).fill(i === 0 ? leaf : `*a${i - 1}`)}]`,
    ).join('\n');
  const cases: readonly [name: string, text: string, message: RegExp][] = [
    ['a repeated key', 'routes: []\nroutes: []', /keys must be unique/],
    ['a repeated key in JSON', '{"routes": [], "routes": []}', /keys must be unique/],
    ['a repeated key deep in JSON', '{"a": [{"b": 1, "\\u0062": 2}]}', /keys must be unique/],
    ['an alias bomb', levels(12, 'lol'), /without bound/],
    [
      'many aliases of one large value',
      `a: &a [${'x,'.repeat(500)}]\nb: [${'*a,'.repeat(9000)}]`,
      /with its aliases expanded/,
    ],
    ['an alias to nothing', 'a: *missing', /alias without its anchor/],
    ['an alias of itself', 'a: &a [*a]', /nested deeper/],
    ['deep lists', `a: ${'['.repeat(100_000)}`, /nested deeper/],
    ['deep objects', `${'{a: '.repeat(100_000)}`, /nested deeper/],
    ['deep lists in JSON', `{"a": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /nested deeper/],
    ['deep compact lists', `${'- '.repeat(100_000)}a`, /nested deeper/],
    ['deep explicit keys', `${'? '.repeat(100_000)}a`, /nested deeper/],
    [
      'depth by indentation',
      Array.from({ length: 80 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      /nested deeper/,
    ],
    ['__proto__', 'listeners: []\n__proto__: { admin: true }', /^__proto__: is not allowed/],
    ['__proto__ in JSON', '{"a": {"__proto__": {"admin": true}}}', /^a\.__proto__: is not allowed/],
    ['NaN', 'a: .nan', /finite number/],
    ['infinity', 'a: -.inf', /finite number/],
    ['an integer that loses digits', 'a: 12345678901234567890', /cannot be held exactly/],
    ['a tag', 'a: !!js/function "x"', /tag/i],
    ['a local tag', 'a: !secret x', /tag/i],
    ['YAML 1.1', '%YAML 1.1\n---\na: yes', /YAML 1.2/],
    ['two documents', 'a: 1\n---\nb: 2', /more than one document/],
    ['keys that are no text', '? [a, b]\n: 1', /not valid YAML/],
    ['YAML over its limit', `a: ${'x'.repeat(3 * 1024 * 1024)}`, /not sound JSON/],
    ['faulty JSON over its limit', `{"a": "${'x'.repeat(3 * 1024 * 1024)}", "a": 1}`, /not sound JSON/],
    ['an empty text', '', /is empty/],
    ['a comment alone', '# nothing\n', /is empty/],
    ['a list', '- a', /must be an object/],
    ['a text', 'hello', /must be an object/],
    ['broken YAML', 'a: [1, 2\nb: }', /not valid YAML/],
    [
      'a document over the limit',
      `a: ${'x'.repeat(10 * 1024 * 1024)}`,
      new RegExp(`larger than ${MAX_DOCUMENT_BYTES}`),
    ],
  ];
  for (const [name, text, message] of cases) {
    it(name, async () => assert.match(await messages(text), message));
  }

  it('merge keys: they are keys like any other', () => {
    const { document } = parseDocument('a: &a { x: 1 }\nb: { <<: *a }', 'x');
    assert.deepEqual(document, { a: { x: 1 }, b: { '<<': { x: 1 } } });
  });

  it('without polluting any prototype', async () => {
    await refusal('__proto__: { polluted: true }');
    assert.equal(Reflect.get({}, 'polluted'), undefined);
  });

  it('without repeating the source, where a secret may stand', async () => {
    const texts = [
      'a: [hunter2-secret }',
      'secret: "hunter2-secret\nb: 1',
      '{ key: hunter2-secret ]',
      'a: b: hunter2-secret',
      '{ a: 1 }\nhunter2: hunter2',
      'password: |hunter2-secret\n',
      'password: !hunter2-secret x',
      'password: !<hunter2-secret> x',
      'password: !h!hunter2 x',
      'password: "\\xhunter2"',
      'password: *hunter2',
      '%hunter2 secret\n---\na: 1',
      'a: 1\n]hunter2[',
    ];
    for (const text of texts) assert.doesNotMatch(JSON.stringify(await refusal(text)), /hunter2|xhu/, text);
  });

  it('with one fault for one mistake, at its place and with the fix', async () => {
    const [issue, ...others] = await refusal(
      'routes:\n  - match: { path: /a/{id}, methods: [GET] }\n    name: a\n',
    );
    assert.deepEqual([issue.file, issue.line, issue.column], ['gateway.yaml', 2, 23]);
    assert.match(issue.suggestion ?? '', /quotes/);
    assert.ok(others.length <= 2, JSON.stringify(others));
  });
});

describe('parseDocument', () => {
  it('reads JSON over the limit of YAML, and then knows no places', () => {
    const { document, locate } = parseDocument(`{"a": "${'x'.repeat(3 * 1024 * 1024)}"}`, 'x');
    assert.deepEqual(Object.keys(document), ['a']);
    assert.equal(locate(['a']), undefined);
  });

  it('reads YAML and JSON alike', () => {
    const value = { sallyport: 1, routes: [{ name: 'a', off: 'no', day: '2027-01-31', n: 1.5, none: null }] };
    const yaml = 'sallyport: 1\nroutes:\n  - { name: a, off: no, day: 2027-01-31, n: 1.5, none: }\n';
    assert.deepEqual(parseDocument(yaml, 'x').document, value);
    assert.deepEqual(parseDocument(JSON.stringify(value), 'x').document, value);
  });

  it('expands anchors', () => {
    const { document } = parseDocument('a: &p [1, 2]\nb: *p\n', 'x');
    assert.deepEqual(document, { a: [1, 2], b: [1, 2] });
  });

  const text = 'routes:\n  - name: a\n    policies:\n      - rate-limit: { limit: x }\n';
  const places: readonly [path: readonly (string | number)[], line: number, column: number][] = [
    [['routes'], 1, 1],
    [['routes', 0], 2, 5],
    [['routes', 0, 'name'], 2, 5],
    [['routes', 0, 'policies', 0, 'rate-limit', 'limit'], 4, 23],
    [['routes', 0, 'policies', 9], 3, 5],
    [['elsewhere'], 1, 1],
  ];
  for (const [path, line, column] of places) {
    it(`knows the place of ${JSON.stringify(path)}`, () => {
      assert.deepEqual(parseDocument(text, 'f').locate(path), { file: 'f', line, column });
    });
  }

  it('knows places in JSON', () => {
    const { locate } = parseDocument('{\n  "routes": [\n    { "name": 1 }\n  ]\n}', 'f');
    assert.deepEqual(locate(['routes', 0, 'name']), { file: 'f', line: 3, column: 7 });
  });

  it('gives back or refuses any text, and nothing else', () => {
    const bits = fc.constantFrom(
      'a: ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '\n',
      '  ',
      '&x ',
      '*x',
      '"',
      "'",
      '? ',
      ': ',
      '|\n',
      '#',
      '!t ',
      '%',
      '---\n',
      '\t',
      '\u0000',
      '<<: ',
    );
    fc.assert(
      fc.asyncProperty(fc.array(bits, { maxLength: 40 }), async (parts) => {
        const source = parts.join('');
        try {
          assert.equal(typeof parseDocument(source, 'x').document, 'object');
        } catch {
          assert.ok((await refusal(source)).length > 0);
        }
      }),
      { numRuns: 500 },
    );
  });
});
