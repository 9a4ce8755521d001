import { expect } from 'chai';
import type { Model } from '../../src/model/types.ts';
import { draftQuota, quotaOf, requireQuota, usedBy } from '../../src/model/validate.ts';
import { blue, loadBalancer, member, modelOf, pool } from './fixtures.ts';
import { expectModelError } from './model-error.ts';

describe('quota rules', () => {
  const servers = pool('p', [member('10.0.0.4'), member('10.0.0.5')]);
  const site = modelOf({
    networks: [blue],
    loadBalancers: [loadBalancer('web', { owner: 't', pools: [servers] }), loadBalancer('other', { owner: 'u' })],
  });
  const allowing = (quota: Model['quotas']) => ({ ...site, quotas: quota });

  it('count what an owner has', () => {
    expect(usedBy(site, 't')).to.include({ load_balancer: 1, listener: 0, pool: 1, member: 2, health_monitor: 0 });
    expect(usedBy(site, 'nobody')).to.include({ load_balancer: 0, member: 0, virtual_machine: 0 });
  });

  it('allow any number unless it is said, but 20 virtual machines', () => {
    expect(quotaOf(site, 't')).to.include({ load_balancer: -1, member: -1, virtual_machine: 20 });
    requireQuota(site, 't', { load_balancer: 1000, member: 1_000_000 });
    expectModelError(() => requireQuota(site, 't', { virtual_machine: 21 }), {
      code: 'over-quota',
      message: 'Quota has been met for resources: Virtual Machine',
    });
  });

  it('refuse what would be more than is allowed, and nothing else', () => {
    const model = allowing(new Map([['t', { load_balancer: 1, member: 3, pool: 0 }]]));
    expectModelError(() => requireQuota(model, 't', { load_balancer: 1, member: 2, listener: 5 }), {
      code: 'over-quota',
      message: 'Quota has been met for resources: Load Balancer, Member',
    });
    requireQuota(model, 't', { member: 1 });
    requireQuota(model, 't', { pool: 0, member: -1 });
    requireQuota(model, 'u', { load_balancer: 1 });
  });

  it('are whole numbers from -1 on', () => {
    expect(draftQuota('t', { pool: 0, member: -1, listener: undefined })).to.deep.equal({
      owner: 't',
      quota: { pool: 0, member: -1 },
    });
    expectModelError(() => draftQuota('', { pool: 1 }), { code: 'invalid', message: 'project_id' });
    expectModelError(() => draftQuota('t', { pool: -2 }), { code: 'invalid', message: 'pool' });
    expectModelError(() => draftQuota('t', { pool: 0.5 }), { code: 'invalid', message: 'pool' });
  });
});
