import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderIssues } from './render-issues.ts';
import type { Terminal } from './terminal.ts';

const plain: Terminal = { out: () => {}, error: () => {}, colours: false };
const render = (line: string, column: number, message = 'is wrong') =>
  renderIssues([{ path: 'a', message, line: 1, column }], 'f.yaml', () => line, plain);

describe('renderIssues', () => {
  it('shows place, path, message, line, caret and fix', () => {
    const issue = {
      path: 'routes[0].nam',
      message: 'unknown key "nam"',
      file: 'g.yaml',
      line: 2,
      column: 5,
      suggestion: 'did you mean "name"?',
    };
    const read = (file: string) => (file === 'g.yaml' ? 'routes:\n  - nam: a\n' : undefined);
    assert.equal(
      renderIssues([issue], 'folder', read, plain),
      'g.yaml:2:5\n  routes[0].nam: unknown key "nam"\n    2 |   - nam: a\n            ^\n  did you mean "name"?\n\n1 error in folder\n',
    );
  });

  it('does without a place or a source', () => {
    const issues = [
      { path: '', message: 'is empty' },
      { path: 'x', message: 'y', line: 9, column: 1 },
    ];
    assert.equal(
      renderIssues(issues, 'f', () => undefined, plain),
      'f\n  document: is empty\n\nf:9:1\n  x: y\n\n2 errors in f\n',
    );
  });

  it('keeps the caret under the fault in a long line', () => {
    const [, , shown, caret] = render(`${'x'.repeat(5000)}!${'y'.repeat(5000)}`, 5001).split('\n');
    assert.ok(shown.length < 120);
    assert.equal(shown[caret.indexOf('^')], '!');
  });

  const secrets: readonly string[] = [
    'secret: hunter2',
    '- api-key: { secret: hunter2, id: x }',
    '"secret": "hunter2"',
    "key: 'hunter2'",
    'password: hunter2 # mine',
    'Authorization: Bearer hunter2',
    'tokens: hunter2',
    '- api-key: hunter2',
    'SECRET:    hunter2',
    'clientSecret: hunter2',
    'password: a,hunter2',
    'password: a#hunter2',
    "{ secret: 'a}, hunter2' }",
    '{ id: x, secret: "a\\"}hunter2" }',
    '"bearerToken": "hunter2"',
    'passwordHash: $argon2id$hunter2',
    'x_api_key: hunter2',
    'session: { secrets: [hunter2, "hunter2", env:NAME] }',
  ];
  for (const line of secrets) {
    it(`hides the secret of ${line}`, () => assert.doesNotMatch(render(line, 1), /hunter2/));
  }

  const below: readonly (readonly [line: string, column: number, path: string])[] = [
    ['      - hunter2', 9, 'a.session.secrets[0]'],
    ['        "hunter2 hunter2"', 9, 'a.clientSecret'],
    ['  hunter2', 3, 'a.password'],
  ];
  for (const [line, column, path] of below) {
    it(`hides the secret of ${path}, whose name stands above`, () => {
      const issue = { path, message: 'is wrong', line: 1, column };
      assert.doesNotMatch(
        renderIssues([issue], 'f.yaml', () => line, plain),
        /hunter2/,
      );
    });
  }

  it('shows a reference whose name stands above', () => {
    const issue = { path: 'a.secrets[0]', message: 'is short', line: 1, column: 3 };
    assert.match(
      renderIssues([issue], 'f.yaml', () => '- env:SESSION_SECRET', plain),
      /env:SESSION_SECRET/,
    );
  });

  const harmless: readonly string[] = [
    '- api-key: { secret: env:NAME, id: x }',
    'key: file:./a.key',
    'path: /secret',
    'tokens: [a]',
    'secrets: [env:A, file:./b]',
    'keyId: billing-2026',
    '- api-key: { secret: env:A }, id: b',
    'credentials: [{ api-key: { secret: env:A } }]',
    'secret: env:A # the old one',
    'tokenUrl: https://login.example.com/token',
  ];
  for (const line of harmless) it(`shows ${line}`, () => assert.ok(render(line, 1).includes(line)));

  it('prints no control characters', () => {
    assert.doesNotMatch(render('a: \u001b[2J', 1, 'unknown \u001b]0;x'), /\u001b/);
  });
});
