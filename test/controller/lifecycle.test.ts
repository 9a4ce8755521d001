import { expect } from 'chai';
import { createLifecycle, type Lifecycle } from '../../src/controller/lifecycle.ts';
import type { Balancer, Model } from '../../src/model/types.ts';
import { host, loadBalancer, modelOf, red } from '../model/fixtures.ts';
import { type Clock, stopTime } from '../support/clock.ts';
import { clientPort } from '../support/model.ts';

const LINGER_MS = 5000;
const web = loadBalancer('web', { owner: 'acme' });
const dns = loadBalancer('dns', { network: red });
const model = modelOf({ loadBalancers: [web, dns] });
const client = clientPort('a', { effectiveOwner: 'acme' });
const redClient = clientPort('r', { network: red });
const stranger = clientPort('s', { effectiveOwner: 'zeta' });

/** The model in which a former controller left balancers of these on host h1. */
function leftBehind(...ids: readonly string[]): Model {
  const rows = ids.map((id, i) => [`b${i}`, { id: `b${i}`, loadBalancerId: id, hostId: 'h1' } as Balancer] as const);
  return { ...model, balancers: new Map(rows) };
}

describe('the lifecycle of balancers on a host', () => {
  let clock: Clock;
  let lifecycle: Lifecycle;
  let due: number[];
  const present = (of: Model, ...ports: readonly (typeof client)[]) => lifecycle.update(of, ports).map(({ id }) => id);

  beforeEach(() => {
    clock = stopTime();
    due = [];
    const onDue = () => due.push(clock.now());
    lifecycle = createLifecycle({ hostId: 'h1', lingerMs: LINGER_MS, onDue, now: clock.now });
  });
  afterEach(() => {
    lifecycle.stop();
    clock.restore();
  });

  it('begins with the first client and ends a linger time after the last', () => {
    expect(present(model)).to.deep.equal([]);
    expect(present(model, client)).to.deep.equal([web.id]);
    clock.pass(60_000);
    expect(due).to.deep.equal([]);
    expect(present(model)).to.deep.equal([web.id]);
    clock.pass(LINGER_MS - 1);
    expect(present(model)).to.deep.equal([web.id]);
    clock.pass(2);
    expect(due).to.have.length(1);
    expect(present(model)).to.deep.equal([]);
  });

  it('is on no host that is not of its availability zone', () => {
    const zoneOf = (...hosts: readonly string[]) => ({
      ...{ id: 'z', name: 'z', description: '', enabled: true },
      profile: { id: 'p', name: 'p', placement: 'switch' as const, hosts },
    });
    const inZone = (...hosts: readonly string[]) =>
      modelOf({ hosts: [host('h1')], loadBalancers: [{ ...web, availabilityZone: zoneOf(...hosts) }] });
    lifecycle = createLifecycle({ hostId: 'host-h1', lingerMs: LINGER_MS, onDue: () => {}, now: clock.now });
    expect(present(inZone('h2'), client)).to.deep.equal([]);
    expect(present(inZone('h1', 'h2'), client)).to.deep.equal([web.id]);
    present(inZone('h2'), client);
    clock.pass(LINGER_MS + 1);
    expect(present(inZone('h2'), client), 'gone after a linger time').to.deep.equal([]);
  });

  it('asks for an update when a linger time is over, and no more', () => {
    present(model, client);
    present(model);
    clock.pass(2 * LINGER_MS);
    expect(due).to.deep.equal([LINGER_MS + 1]);
    present(model);
    clock.pass(60_000);
    expect(due).to.have.length(1);
  });

  it('goes on when a client comes back in time', () => {
    present(model, client);
    present(model);
    clock.pass(LINGER_MS - 1);
    present(model, client);
    clock.pass(LINGER_MS);
    expect(due).to.deep.equal([]);
    expect(present(model)).to.deep.equal([web.id]);
    clock.pass(LINGER_MS - 1);
    expect(present(model)).to.deep.equal([web.id]);
  });

  it('counts only clients: network and owner must match', () => {
    expect(present(model, stranger)).to.deep.equal([]);
    expect(present(model, redClient)).to.deep.equal([dns.id]);
    expect(present(model, client, redClient)).to.have.members([web.id, dns.id]);
  });

  it('lingers for each load balancer by itself', () => {
    present(model, client, redClient);
    present(model, redClient);
    clock.pass(3000);
    present(model);
    clock.pass(2001);
    expect(present(model)).to.deep.equal([dns.id]);
    clock.pass(3000);
    expect(present(model)).to.deep.equal([]);
    expect(due).to.deep.equal([5001, 8001]);
  });

  it('ends at once when the load balancer is deleted or switched off', () => {
    present(model, client, redClient);
    const off = modelOf({ loadBalancers: [{ ...web, adminStateUp: false }] });
    expect(present(off, client, redClient)).to.deep.equal([]);
  });

  it('takes over what a former controller left: with clients for good, without for the linger time', () => {
    expect(present(leftBehind(web.id, dns.id), client)).to.have.members([web.id, dns.id]);
    clock.pass(LINGER_MS + 1);
    expect(present(model, client)).to.deep.equal([web.id]);
  });

  it('answers the load balancers as they are now', () => {
    present(model, client);
    const renamed = { ...web, name: 'renamed' };
    expect(lifecycle.update(modelOf({ loadBalancers: [renamed] }), [client])).to.deep.equal([renamed]);
  });

  it('is silent when it is stopped', () => {
    present(model, client);
    present(model);
    lifecycle.stop();
    clock.pass(60_000);
    expect(due).to.deep.equal([]);
  });
});
