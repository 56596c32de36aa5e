import assert from 'node:assert/strict';
import { it } from 'node:test';
import { mint, tokenKey } from '../../test/fixtures/tokens.ts';
import { readCompactJws } from './compact-jws.ts';
import { publicKeyOf } from './public-jwk.ts';
import { loadSignatureCheck } from './signature.ts';

it('a signature is good by a key that is for its algorithm, whatever else the key could do', async () => {
  const check = await loadSignatureCheck();
  const signer = tokenKey('RS256');
  const jws = readCompactJws(mint(signer, { sub: 'ann' }));
  const key = publicKeyOf(signer.jwk);
  assert.ok(!('fault' in jws) && typeof key !== 'string');
  assert.equal(await check(jws, [{ ...key, algorithms: ['PS256', 'RS384'] }]), false);
  assert.equal(await check(jws, []), false);
  assert.equal(await check(jws, [key]), true);
});
