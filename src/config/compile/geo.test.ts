import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { bundleDeps, documentWith, issuesOf, parsed } from '../../../test/fixtures/config.ts';
import { COUNTRIES, SYSTEMS, writeMmdb } from '../../../test/fixtures/mmdb.ts';
import { policyContext } from '../../../test/fixtures/policy-context.ts';
import type { Snapshot } from '../../contract/index.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { ipList } from '../../policies/ip-list/policy.ts';
import { binariesOnDisk } from '../binary-files.ts';
import { compileBundle, createBundle } from '../bundle.ts';
import { PolicyCatalog } from '../catalog.ts';
import { PolicyCache } from '../policy-cache.ts';

const folder = mkdtempSync(join(tmpdir(), 'geo-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'country.mmdb'), writeMmdb(COUNTRIES));
writeFileSync(join(folder, 'asn.mmdb'), writeMmdb(SYSTEMS));
writeFileSync(join(folder, 'cut.mmdb'), writeMmdb(COUNTRIES).subarray(0, -120));

const catalog = new PolicyCatalog([ipList]);
const document = (deny: readonly string[], geo: unknown = BOTH) =>
  documentWith({ geo }, { policies: [{ 'ip-list': { deny } }] });
const BOTH = { country: 'file:./country.mmdb', asn: 'file:asn.mmdb' };

function node() {
  const cache = new PolicyCache();
  const binaries = binariesOnDisk(folder);
  const load = (value: unknown) => createBundle(parsed(value), { ...bundleDeps(), catalog, cache, binaries });
  return { cache, load };
}

function rule(snapshot: Snapshot, client: string): string | undefined {
  const address = parseIpAddress(client);
  assert.ok(address);
  const decision = snapshot.attachments[0].instance.request?.(policyContext({ client: address }));
  assert.ok(decision !== undefined && !(decision instanceof Promise));
  return decision.kind === 'reject' ? decision.error.rule : undefined;
}

describe('databases about addresses', () => {
  const deny = ['country:DE', 'country:NL', 'asn:4200000001'];

  it('decide in any thread, over one memory', async () => {
    const { bundle, snapshot } = await node().load(document(deny));
    await snapshot.dispose();
    const sent = structuredClone(bundle);
    for (const [name, { bytes }] of Object.entries(bundle.binaries)) {
      assert.equal(sent.binaries[name].bytes.buffer.byteLength, bytes.byteLength);
      assert.ok(sent.binaries[name].bytes.buffer instanceof SharedArrayBuffer, name);
    }
    const inWorker = await compileBundle(sent, { catalog, cache: new PolicyCache() });
    for (const [client, expected] of [
      ['192.0.2.1', 'country:DE'],
      ['::ffff:192.0.2.1', 'country:DE'],
      ['192.0.2.200', undefined],
      ['2001:db8::1', 'country:NL'],
      ['203.0.113.1', 'asn:4200000001'],
      ['198.51.100.1', undefined],
    ] as const) {
      assert.equal(rule(inWorker, client), expected, client);
    }
    await inWorker.dispose();
  });

  it('are not read where no policy asks', async () => {
    const { bundle, snapshot } = await node().load(
      document(['192.0.2.1'], { country: 'file:./not-there.mmdb' }),
    );
    assert.deepEqual(bundle.binaries, {});
    await snapshot.dispose();
  });

  it('are a part of the revision, and what asked for one is compiled again when it changes', async () => {
    const { load } = node();
    const name = 'changing.mmdb';
    const value = document(['country:DE'], { country: `file:${name}` });
    writeFileSync(join(folder, name), writeMmdb(COUNTRIES));
    const first = await load(value);
    const same = await load(value);
    assert.equal(same.bundle.revision, first.bundle.revision);
    assert.equal(same.snapshot.attachments[0].instance, first.snapshot.attachments[0].instance);
    assert.equal(same.bundle.binaries[name].bytes, first.bundle.binaries[name].bytes, 'it is read once');
    const networks = [['203.0.113.0/24', { country: { iso_code: 'DE' } }]] as const;
    writeFileSync(join(folder, name), writeMmdb({ type: 'GeoLite2-Country', networks }));
    const other = await load(value);
    assert.notEqual(other.bundle.revision, first.bundle.revision);
    assert.equal(rule(other.snapshot, '203.0.113.1'), 'country:DE');
    assert.equal(rule(other.snapshot, '192.0.2.1'), undefined);
    assert.equal(rule(first.snapshot, '192.0.2.1'), 'country:DE', 'requests under way end with theirs');
    await Promise.all([first, same, other].map(({ snapshot }) => snapshot.dispose()));
  });

  it('of flat records are read too', async () => {
    const networks = [['192.0.2.0/24', { country: 'Germany', country_code: 'DE', asn: 'AS64496' }]] as const;
    writeFileSync(join(folder, 'flat.mmdb'), writeMmdb({ type: 'generic_country_asn', networks }));
    const flat = { country: 'file:flat.mmdb', asn: 'file:flat.mmdb' };
    for (const term of ['country:DE', 'asn:64496']) {
      const { snapshot } = await node().load(document([term], flat));
      assert.equal(rule(snapshot, '192.0.2.1'), term);
      await snapshot.dispose();
    }
  });

  const refusals: readonly (readonly [name: string, document: unknown, says: RegExp])[] = [
    ['that nobody names', document(deny, {}), /geo\.country/],
    [
      'of countries alone, where systems are asked for',
      document(['asn:1'], { country: 'file:country.mmdb' }),
      /geo\.asn/,
    ],
    ['that are not there', document(deny, { country: 'file:none.mmdb' }), /no such file/],
    ['that are folders', document(deny, { country: 'file:.' }), /regular file/],
    ['that are cut', document(deny, { country: 'file:cut.mmdb' }), /MaxMind format/],
    ['about something else', document(deny, { country: 'file:asn.mmdb' }), /GeoLite2-ASN/],
    [
      'about countries, where systems are asked for',
      document(['asn:1'], { asn: 'file:country.mmdb' }),
      /GeoLite2-Country/,
    ],
  ];
  for (const [name, value, says] of refusals) {
    it(`are refused ${name}`, async () => {
      const issues = await issuesOf(() => node().load(value));
      assert.equal(issues[0].path, 'routes[0].policies[0].ip-list.deny[0]');
      assert.match(`${issues[0].message} ${issues[0].suggestion}`, says);
    });
  }

  it('do not stay open where nobody uses them', async () => {
    const { cache, load } = node();
    const { snapshot } = await load(document(deny));
    assert.equal(cache.size, 1);
    await snapshot.dispose();
    assert.equal(cache.size, 0);
  });
});
