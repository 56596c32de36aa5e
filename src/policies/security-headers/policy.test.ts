import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { securityHeaders } from './policy.ts';

runPolicyCases(securityHeaders, new URL('cases.json', import.meta.url));
