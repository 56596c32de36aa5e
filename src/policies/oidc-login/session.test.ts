import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readSession, type Session, subjectOf, writeSession } from './session.ts';

const tokenOf = (claims: object): string =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
const CLAIMS = { iss: 'https://login.test', sub: 'ann', groups: ['staff'] };

const session = (over: Partial<Session> = {}): Session => ({
  id: 'i',
  startedAtMs: 1,
  lifeMs: 2,
  usedAtMs: 3,
  sid: 's',
  idToken: tokenOf(CLAIMS),
  claims: CLAIMS,
  accessToken: 'a',
  refreshToken: 'r',
  times: { renewAtMs: 4, untilMs: 5 },
  ...over,
});

describe('a session as text', () => {
  const SESSIONS: readonly Session[] = [
    session(),
    session({
      sid: undefined,
      accessToken: undefined,
      refreshToken: undefined,
      times: { renewAtMs: undefined, untilMs: undefined },
    }),
    session({ claims: { ...CLAIMS, email: 'ann@app.test' } }),
  ];
  for (const one of SESSIONS)
    it(`is read as it was: ${JSON.stringify(one.claims)}`, () =>
      assert.deepEqual(readSession(writeSession(one)), one));

  it('keeps claims that stand in its token only there', () => {
    assert.equal(writeSession(session()).includes('staff'), false);
  });

  it('never says other than its token does', () => {
    const text = writeSession(session({ claims: { ...CLAIMS, sub: 'mal' } }));
    assert.equal(readSession(text)?.claims.sub, 'ann');
  });

  const OTHERS = [
    '',
    'no JSON',
    '{}',
    '[]',
    'null',
    '"text"',
    '[2,"i",1,2,3,"t",null,null,null,null,null,{}]',
    '[1,"i",1,2]',
  ];
  for (const text of OTHERS)
    it(`of another form is none: ${text}`, () => assert.equal(readSession(text), undefined));

  it('names its subject', () => assert.equal(subjectOf(session()), 'ann'));
});
