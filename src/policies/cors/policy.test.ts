import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { cors } from './policy.ts';

runPolicyCases(cors, new URL('cases.json', import.meta.url));
