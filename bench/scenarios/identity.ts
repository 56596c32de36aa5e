import { freePort } from '../../test/fixtures/gateway.ts';
import { FILES, identityDocument, SECRETS, signToken, USERS } from '../lib/credentials.ts';
import { startSallyport } from '../lib/gateway.ts';
import { judgeCredentials } from '../lib/judge-credentials.ts';
import { cpuRatio, laneRow, measureLanes } from '../lib/lanes.ts';
import type { RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';

/** A token that is sent again costs at most so much more than the same request on a route that asks for none. */
const REPEATED_TOKEN = 1.15;

/**
 * What proving who calls costs. First the judging alone, in nanoseconds in this process: a credential seen before, and
 * one that never was. Then whole requests through the gateway, as CPU time against the same request on a route without
 * a policy.
 */
const scenario: Scenario = {
  title: 'Credentials: judging one seen before and one that is new; whole requests with one seen before',
  run: (options: RunOptions) =>
    onStage(async ({ originPort, add }) => {
      const judged = await judgeCredentials(options);
      const document = identityDocument(await freePort(), `http://127.0.0.1:${originPort}`);
      const peer = await add(startSallyport('sallyport', document, { env: SECRETS, files: FILES }));
      const bearer = (token: string) => [`Authorization: Bearer ${token}`];
      const [rs256, es256] = [bearer(await signToken('RS256')), bearer(await signToken('ES256'))];
      const basic = Buffer.from(`${USERS[0]}:${SECRETS.BENCH_PASSWORD}`).toString('base64');
      const key = [`X-API-Key: ${SECRETS.BENCH_KEY}`];
      const lane = (name: string, path: string, headers: string[]) => ({
        name,
        peer,
        load: { path, headers },
      });
      const results = await measureLanes(
        [
          lane('no policy, token sent', '/none', rs256),
          lane('jwt, RS256', '/jwt-rs256', rs256),
          lane('jwt, ES256', '/jwt-es256', es256),
          lane('any-of: jwt', '/any-of', rs256),
          lane('no policy, key sent', '/none', key),
          lane('api-key', '/api-key', key),
          lane('basic-auth', '/basic-auth', [`Authorization: Basic ${basic}`]),
        ],
        options,
      );
      const [bare, jwt, elliptic, anyOf, bareKey, apiKey, password] = results;
      return {
        rows: [
          ...judged,
          ...[bare, jwt, elliptic, anyOf].map((result) => laneRow(result, bare)),
          ...[bareKey, apiKey, password].map((result) => laneRow(result, bareKey)),
        ],
        bars: [
          { name: 'repeated RS256 token/no policy', value: cpuRatio(jwt, bare), limit: REPEATED_TOKEN },
          { name: 'repeated ES256 token/no policy', value: cpuRatio(elliptic, bare), limit: REPEATED_TOKEN },
        ],
      };
    }),
};

export default scenario;
