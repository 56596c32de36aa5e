import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BannerFacts, bannerText } from './banner.ts';

const gateway = (more: object) => ({
  scheme: 'http' as const,
  host: '127.0.0.1',
  port: 8080,
  listener: 'public',
  ...more,
});
const banner = (more: Partial<BannerFacts>): string =>
  bannerText({
    gateways: [gateway({})],
    admin: undefined,
    tokenPath: undefined,
    records: 'none',
    counters: undefined,
    demoKey: undefined,
    revision: '0123456789abcdef',
    workers: 2,
    lastGood: undefined,
    ...more,
  });

describe('the banner', () => {
  const addresses: [facts: object, url: string][] = [
    [{}, 'http://127.0.0.1:8080 '],
    [{ scheme: 'https' }, 'https://127.0.0.1:8080 '],
    [{ host: '0.0.0.0', scheme: 'https' }, 'https://127.0.0.1:8080 '],
    [{ host: '::' }, 'http://[::1]:8080 '],
    [{ host: '2001:db8::1' }, 'http://[2001:db8::1]:8080 '],
  ];
  for (const [facts, url] of addresses) {
    it(`shows ${url}`, () => assert.ok(banner({ gateways: [gateway(facts)] }).includes(` ${url}`)));
  }

  it('says that the document on disk is not the one in service', () => {
    assert.match(banner({ replaced: 'gateway.yaml' }), /from the store: it replaced gateway\.yaml/);
    assert.doesNotMatch(banner({}), /replaced/);
  });

  it('warns of an admin side that other machines may reach', () => {
    const admin = { host: '0.0.0.0', port: 8090 };
    assert.match(banner({ admin: { ...admin, isExposed: true } }), /^ {2}WARNING .+ encrypted/m);
    assert.doesNotMatch(banner({ admin: { ...admin, isExposed: false } }), /WARNING/);
  });

  it('says where counters are shared, where they are', () => {
    assert.match(banner({ counters: 'redis://store:6379' }), /^ {2}counters {2}redis:\/\/store:6379$/m);
    assert.doesNotMatch(banner({}), /counters/);
  });

  it('gives a line to try that speaks as the listener does', () => {
    const text = banner({ demoKey: '/tmp/demo.key', gateways: [gateway({ scheme: 'https' })] });
    assert.match(text, /curl .+ https:\/\/127\.0\.0\.1:8080\/hello$/m);
  });

  it('says when the last good revision is served, which, of when and why', () => {
    const issues = [{ path: 'sallyport', message: 'must be 1', suggestion: 'write 1' }];
    const text = banner({ lastGood: { config: 'gateway.yaml', issues, savedAtMs: Date.UTC(2026, 10, 23) } });
    for (const said of [
      'sallyport: must be 1',
      'serves the LAST GOOD REVISION, not gateway.yaml',
      'sallyport check gateway.yaml',
      'revision  0123456789ab of 2026-11-23T00:00:00.000Z, 2 workers',
    ]) {
      assert.ok(text.includes(said), said);
    }
  });

  it('says nothing of that otherwise', () => assert.ok(banner({}).startsWith('Sallyport serves.\n')));
});
