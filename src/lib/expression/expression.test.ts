import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import { compileExpression, type Declarations, ExpressionError } from './index.ts';

class Thing {
  asked = 0;
  readonly name = 'cup';
  get labels(): Map<string, string> {
    this.asked++;
    return new Map([['a', '1']]);
  }
}

const declared: Declarations = {
  variables: { thing: 'Thing', text: 'string', tags: 'list<string>', claims: 'map<string, dyn>', now: 'int' },
  types: { Thing: { ctor: Thing, fields: { name: 'string', labels: 'map<string, string>' } } },
};
const values = { text: 'hello', tags: ['a', 'b'], claims: { level: 1, roles: ['x'] }, now: 5n };
const run = (source: string, over: object = {}) =>
  compileExpression(source, declared)({ thing: new Thing(), ...values, ...over });

describe('attacks', () => {
  const slow: string[] = [
    'text.matches("^(a|a)*$")',
    'tags.exists(t, t.matches("^(a|a)*$"))',
    'tags.map(t, t.matches("^(a+)+$")).size() > 0',
    'tags.filter(t, t.matches("^(a+)+$")).size() > 0',
    'cel.bind(x, text, x.matches("^(a+)+$"))',
    'claims.level == 2 || claims.roles[0].matches("^(a+)+$")',
    '(text.matches("^(a+)+$") ? [text] : [text]).size() == 7',
    '{"k": text.matches("^(a+)+$")}.k',
  ];
  const bomb = `${'a'.repeat(10_000)}!`;
  for (const source of slow) {
    it(`${source} is bounded`, () => {
      const over = { text: bomb, tags: [bomb], claims: { level: 1, roles: [bomb] } };
      runInNewContext('run()', { run: () => run(source, over) }, { timeout: 2_000 });
    });
  }
  const refused: [what: string, source: string][] = [
    ['a pattern from the caller', 'text.matches(text)'],
    ['a pattern put together', 'text.matches("a" + "b")'],
    ['look-around', 'text.matches("(?=a)b")'],
    ['the inner name', 'text.matchesInBoundedTime("a")'],
    ['three loops', 'tags.map(a, tags.map(b, tags.map(c, a))).size() > 0'],
    ['three bindings', 'cel.bind(a, text+text, cel.bind(b, a+a, cel.bind(c, b+b, c))) == ""'],
    ['depth', `${'('.repeat(60)}true${')'.repeat(60)}`],
    ['length', Array(600).fill('true').join(' && ')],
    ['an unknown variable', 'nope == 1'],
    ['an unknown field', 'thing.constructor == 1'],
    ['the wrong type', 'text > 1'],
    ['no expression', ''],
    ['broken syntax', 'text =='],
  ];
  for (const [what, source] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => compileExpression(source, declared), ExpressionError));
  }
});

describe('suggestions', () => {
  const cases: [source: string, suggestion: string | undefined][] = [
    ['thing.nmae == "cup"', 'did you mean "name"?'],
    ['"a" in thing.lables', 'did you mean "labels"?'],
    ['tags.exists(t, t == thing.nam)', 'did you mean "name"?'],
    ['thing.weight == 1', 'known: name, labels'],
    ['txet == ""', 'did you mean "text"?'],
    ['name == "cup"', 'did you mean "thing.name"?'],
    ['other == ""', 'known: thing, text, tags, claims, now'],
    ['text.startWith("a")', 'did you mean "startsWith"?'],
    ['text.startsWith(1)', undefined],
    ['text == 1', undefined],
  ];
  for (const [source, suggestion] of cases) {
    it(`${source} → ${suggestion}`, () => {
      assert.throws(
        () => compileExpression(source, declared),
        (error) => error instanceof ExpressionError && error.suggestion === suggestion,
      );
    });
  }
});

describe('values', () => {
  const cases: [source: string, value: unknown][] = [
    ['text.matches("^h.*o$")', true],
    ['text.matches("^e")', false],
    ['"a" in tags && !("z" in tags)', true],
    ['"a" in thing.labels && thing.labels["a"] == "1"', true],
    ['has(thing.labels.b)', false],
    ['claims.level == 1', true],
    ['now > 3', true],
    ['tags.exists(t, tags.all(u, u != "" && t != ""))', true],
    ['text', 'hello'],
  ];
  for (const [source, value] of cases) it(source, () => assert.equal(run(source), value));

  it('asks only for what is named', () => {
    const thing = new Thing();
    run('thing.name == "cup"', { thing });
    assert.equal(thing.asked, 0);
  });
  it('throws where a key is not there', () => assert.throws(() => run('claims.absent == 1')));
  it('refuses a result of the wrong type', () => {
    assert.throws(() => compileExpression('text', { ...declared, returns: 'bool' }), ExpressionError);
    assert.equal(compileExpression('claims.level', { ...declared, returns: 'bool' })(values), 1);
  });
});
