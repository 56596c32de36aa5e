import { quotaDeskContract } from '../../../test/contract/quota-desk.contract.ts';
import { makeQuotas } from '../../../test/fixtures/quotas.ts';

quotaDeskContract('that a node counts alone', async (more) => makeQuotas(more));
