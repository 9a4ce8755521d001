import { expect } from 'chai';
import { QUOTA_DEFAULTS } from '../../src/model/defaults.ts';
import { effectiveFlavor, findVirtualMachine } from '../../src/model/lookup.ts';
import { virtualMachineMac } from '../../src/model/vip-mac.ts';
import type { ModelChange } from '../../src/store/index.ts';
import { expectModelRejection } from '../model/model-error.ts';
import { expectSameAsScratch, type Fixture, startFixture } from './fixture.ts';

describe('flavors in the store', () => {
  let fixture: Fixture;
  const store = () => fixture.store;
  before(async () => {
    fixture = await startFixture();
  });
  after(() => fixture.stop());
  afterEach(() => expectSameAsScratch(fixture.store, fixture.server));

  it('are created, named by load balancers, changed and deleted', async () => {
    const data = { vcpus: 0.5, memoryMib: 64, maxConnections: 5000 };
    const profile = await store().createFlavorProfile({ name: 'half', placement: 'container', data });
    const flavor = await store().createFlavor({ name: 'small', profile: 'half' });
    const used = () => store().model.flavors.get(flavor.id)!;
    expect(used()).to.deep.include({ name: 'small', description: '', enabled: true, isDefault: false });
    expect(used().profile).to.equal(store().model.flavorProfiles.get(profile.id));
    const outside = { network: 'blue', vips: [], placement: 'container', flavor: 'small' } as const;
    const { id } = await store().createLoadBalancer({ name: 'f', ...outside });
    const loadBalancer = store().model.loadBalancers.get(id)!;
    expect(loadBalancer.flavorId).to.equal(flavor.id);
    expect(effectiveFlavor(store().model, loadBalancer)).to.deep.equal({
      ...data,
      image: undefined,
      kernel: undefined,
    });
    for (const [run, message] of [
      [() => store().deleteFlavor('small'), `Flavor ${flavor.id} is in use and cannot be modified.`],
      [() => store().deleteFlavorProfile('half'), `Flavor profile ${profile.id} is in use and cannot be modified.`],
      [() => store().updateFlavorProfile('half', { data: {} }), `Flavor profile ${profile.id} is in use`],
      [() => store().applyLoadBalancer({ ...outside, name: 'f', placement: 'switch', flavor: undefined }), 'placement'],
    ] as const) {
      await expectModelRejection(run(), { code: 'conflict', message });
    }
    const changes: ModelChange[] = [];
    const record = (change: ModelChange) => changes.push(change);
    store().on('change', record);
    await store().updateFlavorProfile('half', { name: 'half a CPU' });
    store().off('change', record);
    expect(used().profile.name).to.equal('half a CPU');
    expect(changes.map((change) => [...change.flavors])).to.deep.equal([[flavor.id]]);
    await store().updateFlavor(flavor.id, { isDefault: true, description: 'd' });
    const byDefault = await store().createLoadBalancer({ ...outside, flavor: undefined });
    expect(store().model.loadBalancers.get(byDefault.id)!.flavorId).to.equal(flavor.id);
    await store().updateFlavor(flavor.id, { enabled: false });
    const without = await store().createLoadBalancer({ ...outside, flavor: undefined });
    expect(store().model.loadBalancers.get(without.id)!.flavorId).to.equal(undefined);
    // What exists keeps a flavor that new ones can no longer have.
    await store().applyLoadBalancer({ ...outside, name: 'f' });
    await store().createFlavorProfile({ name: 'other', placement: 'container' });
    await store().createFlavor({ name: 'big', profile: 'other' });
    await expectModelRejection(store().applyLoadBalancer({ ...outside, name: 'f', flavor: 'big' }), {
      code: 'conflict',
      message: 'flavor cannot change from small to big',
    });
    for (const one of [id, byDefault.id, without.id]) await store().deleteLoadBalancer(one);
    await store().deleteFlavor('small');
    await store().deleteFlavorProfile(profile.id);
    await store().deleteFlavor('big');
    await store().deleteFlavorProfile('other');
    expect([store().model.flavors.size, store().model.flavorProfiles.size]).to.deep.equal([0, 0]);
  });
});

describe('virtual machines in the store', () => {
  let fixture: Fixture;
  const store = () => fixture.store;
  const machine = (id: string) => store().model.virtualMachines.get(id)!;
  before(async () => {
    fixture = await startFixture();
    for (const name of ['h1', 'h2']) await fixture.store.putHost({ name, remote: `unix:/run/${name}.sock` });
  });
  after(() => fixture.stop());
  afterEach(() => expectSameAsScratch(fixture.store, fixture.server));

  it('get addresses from the bottom and a MAC of their own, and report their state', async () => {
    const { id } = await store().createVirtualMachine({ name: 'a', host: 'h1', network: 'blue', servePort: 8080 });
    const other = await store().createVirtualMachine({
      ...{ name: 'b', host: 'h2', network: 'blue', kind: 'vm', vcpus: 2, memoryMib: 256, image: '/img', owner: 't' },
      addresses: ['10.0.1.9'],
    });
    expect(machine(id)).to.deep.include({
      name: 'a',
      kind: 'namespace',
      mac: virtualMachineMac(id),
      addresses: ['10.0.0.2', 'fd00::2'],
      servePort: 8080,
      state: 'pending',
      error: '',
    });
    expect(machine(other.id)).to.deep.include({ addresses: ['10.0.1.9'], vcpus: 2, memoryMib: 256, image: '/img' });
    expect(findVirtualMachine(store().model, 'b')).to.equal(machine(other.id));
    const { generation } = store().model;
    await store().setVirtualMachineState(id, 'failed', 'no podman');
    const { since } = machine(id);
    await store().setVirtualMachineState(id, 'failed', 'no image');
    expect(machine(id)).to.include({ state: 'failed', error: 'no image', since });
    expect(store().model.generation).to.equal(generation);
    await expectModelRejection(store().deleteNetwork('blue'), { code: 'conflict', message: 'virtual machine a' });
    await expectModelRejection(store().createLoadBalancer({ network: 'blue', vips: ['10.0.1.9'] }), {
      code: 'conflict',
      message: 'VIP 10.0.1.9 in network blue is the address of a virtual machine',
    });
    await store().deleteVirtualMachine('a');
    await expectModelRejection(store().setVirtualMachineState(id, 'ready'), { code: 'not-found', message: id });
    await store().deleteHost('h2');
    expect(store().model.virtualMachines.size, 'those of a host that is removed go with it').to.equal(0);
    await store().putHost({ name: 'h2', remote: 'unix:/run/h2.sock' });
    await store().createVirtualMachine({ name: 'b', host: 'h2', network: 'blue' });
    await store().deleteVirtualMachine('b');
  });

  it('are at most so many per owner, however many are asked for at once', async () => {
    await store().setQuota('t', { virtual_machine: 3 });
    await store().setQuota('new', { virtual_machine: 1 });
    expect([...store().model.quotas]).to.deep.include.members([
      ['t', { virtual_machine: 3 }],
      ['new', { virtual_machine: 1 }],
    ]);
    const stores = [store(), await fixture.another()];
    const asked = stores.flatMap((one, s) =>
      [0, 1, 2, 3].map((n) =>
        one.createVirtualMachine({ name: `t${s}-${n}`, host: 'h1', network: 'blue', owner: 't' }),
      ),
    );
    const results = await Promise.allSettled(asked);
    const made = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(made).to.have.length(3);
    for (const one of results) {
      if (one.status === 'rejected') expect(one.reason.message).to.contain('Quota has been met for resources');
    }
    await expectSameAsScratch(store(), fixture.server);
    const addresses = made.flatMap(({ id }) => machine(id).addresses);
    expect(new Set(addresses).size).to.equal(6);
    const before = store().model;
    await store().setQuota('t', { virtual_machine: 3 });
    await store().setQuota('nobody', { virtual_machine: undefined });
    expect(store().model).to.equal(before);
    await store().setQuota('t', { virtual_machine: undefined });
    await store().setQuota('new', { virtual_machine: undefined });
    expect(store().model.quotas.size).to.equal(0);
    await store().createVirtualMachine({ name: 'fourth', host: 'h1', network: 'blue', owner: 't' });
    expect(QUOTA_DEFAULTS.virtual_machine).to.be.greaterThan(4);
  });
});

describe('observations in the store', () => {
  let fixture: Fixture;
  let balancerId: string;
  const store = () => fixture.store;
  const counters = (totalConnections: number) => ({
    ...{
      activeConnections: 1,
      totalConnections,
      bytesIn: 2,
      bytesOut: 3,
      requestErrors: 0,
      packetsIn: 0,
      packetsOut: 0,
    },
  });
  const [m1, m2] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const;
  const first = {
    memberHealth: { [m1]: 'ONLINE', [m2]: 'ERROR' },
    counters: { [m1]: counters(5), [m2]: counters(7) },
    base: { [m1]: counters(1) },
    worker: 'w1',
  } as const;

  before(async () => {
    fixture = await startFixture();
    const host = await fixture.store.putHost({ name: 'h1', remote: 'unix:/run/h1.sock' });
    const { id } = await fixture.store.createLoadBalancer({ network: 'blue', vips: [], placement: 'namespace' });
    await fixture.store.setBalancers(host.id, [{ loadBalancerId: id, state: 'pending' }]);
    [balancerId] = [...fixture.store.model.balancers.keys()] as [string];
  });
  after(() => fixture.stop());
  afterEach(() => expectSameAsScratch(fixture.store, fixture.server));

  it('are written without a number, touch no balancer, and share what did not change', async () => {
    const changes: ModelChange[] = [];
    store().on('change', (change) => changes.push(change));
    const { generation, balancers } = store().model;
    await store().setObservation(balancerId, first);
    expect(store().model.observations.get(balancerId)).to.deep.equal(first);
    const before = store().model.observations.get(balancerId)!;
    await store().setObservation(balancerId, first);
    expect(changes, 'the same again is no change').to.have.length(1);
    const second = {
      memberHealth: { [m1]: 'DRAINING' },
      counters: { [m1]: counters(6), [m2]: counters(7) },
      base: first.base,
      worker: 'w2',
    } as const;
    await store().setObservation(balancerId, second);
    const now = store().model.observations.get(balancerId)!;
    expect(now).to.deep.equal(second);
    expect(now.counters[m2]).to.equal(before.counters[m2]);
    expect(now.base).to.equal(before.base);
    expect(changes).to.have.length(2);
    for (const change of changes) {
      expect([...change.observations]).to.deep.equal([balancerId]);
      expect([...change.balancers, ...change.loadBalancers]).to.deep.equal([]);
    }
    expect(store().model.balancers).to.equal(balancers);
    expect(store().model.generation).to.equal(generation);
  });

  it('go with their balancer', async () => {
    await store().setBalancers([...store().model.hosts.keys()][0]!, []);
    expect(store().model.observations.size).to.equal(0);
    expect(await fixture.server.client('dump', 'Hostlb', 'Observation', 'worker')).not.to.contain('w2');
    await expectModelRejection(store().setObservation(balancerId, first), { code: 'not-found', message: balancerId });
  });
});
