import { expect } from 'chai';
import { type ApiFixture, addBlue, clientPort, startApi } from '../support/api.ts';

describe('API: virtual machines', () => {
  let api: ApiFixture;
  let network: string;
  before(async () => {
    api = await startApi();
  });
  after(() => api.stop());
  beforeEach(async () => {
    network = await addBlue(api.store);
    await api.store.putHost({ name: 'h1', remote: 'tcp:192.0.2.1:6640' });
  });
  afterEach(() => api.clear());

  const fault = async (method: string, path: string, body?: unknown) => {
    const answer = await api.send(method, path, body);
    return [answer.status, answer.body.faultstring];
  };
  const create = async (vm: object) => {
    const answer = await api.send('POST', '/v1/vms', { vm: { host: 'h1', network: 'blue', ...vm } });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    expect(answer.headers['x-hostlb-generation']).to.equal(String(api.store.model.generation));
    return answer.body.vm;
  };
  const vms = async () => (await api.send('GET', '/v1/vms')).body.vms;

  it('are created with what is asked for, and free addresses where none are', async () => {
    const whole = await create({
      ...{ name: 's1', kind: 'container', owner: 'x', addresses: ['fd00::21', '10.0.0.21'] },
      ...{ serve_port: 80, vcpus: 0.5, memory_mib: 128, image: 'localhost/web' },
    });
    const { iface_id: id, mac, ...rest } = whole;
    expect(mac).to.match(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
    expect(rest).to.deep.equal({
      ...{ id, name: 's1', host: 'h1', network: 'blue', owner: 'x', vm_id: id, registered: false },
      ...{ kind: 'container', addresses: ['10.0.0.21', 'fd00::21'] },
      ...{ serve_port: 80, vcpus: 0.5, memory_mib: 128, image: 'localhost/web' },
      ...{ state: 'pending', reason: '', client_of: [] },
    });
    expect(api.store.model.virtualMachines.get(id)?.mac).to.equal(mac);
    const plain = await create({ name: 'c1' });
    expect(plain).to.include({ kind: 'namespace', owner: '', serve_port: null, vcpus: null, image: null });
    expect(plain.addresses).to.have.length(2);
    expect(plain.addresses).to.not.include.oneOf(['10.0.0.21', 'fd00::21']);
  });

  it('are one list with the ports that hosts show', async () => {
    await api.store.createLoadBalancer({ name: 'web', network, vips: ['10.0.0.100'] });
    const machine = await create({ name: 's1', addresses: ['10.0.0.21'] });
    await api.store.putPort({ ifaceId: 'p9' });
    const port = clientPort({ ifaceId: machine.iface_id, host: 'h1', network, mac: machine.mac });
    api.view.seen = [clientPort({ ifaceId: 'tap7', host: 'h1', network }), port];
    const short = async () =>
      (await vms()).map((vm: Record<string, unknown>) => [vm.name || vm.iface_id, vm.kind, vm.state, vm.reason]).sort();
    const p9 = ['p9', null, 'absent', 'no connected host has a port with this iface-id'];
    const tap7 = ['tap7', null, 'client', ''];
    expect(await short()).to.deep.equal([p9, ['s1', 'namespace', 'pending', ''], tap7]);
    await api.store.setVirtualMachineState(machine.iface_id, 'failed', 'no image');
    expect(await short()).to.deep.equal([p9, ['s1', 'namespace', 'failed', 'no image'], tap7]);
    await api.store.setVirtualMachineState(machine.iface_id, 'ready');
    expect(await short()).to.deep.equal([p9, ['s1', 'namespace', 'client', ''], tap7]);
    for (const key of ['s1', machine.iface_id]) {
      const { vm } = (await api.send('GET', `/v1/vms/${key}`)).body;
      expect(vm).to.deep.include({ addresses: ['10.0.0.21'], state: 'client', client_of: ['web'] });
    }
    expect((await api.send('GET', '/v1/vms?kind=namespace')).body.vms).to.have.length(1);
    api.view.seen = [{ ...port, state: 'ignored', reason: 'twice' }];
    expect((await api.send('GET', '/v1/vms/s1')).body.vm).to.include({ state: 'ignored', reason: 'twice' });
    api.view.seen = [];
    expect((await api.send('GET', '/v1/vms/s1')).body.vm).to.include({ state: 'absent', host: 'h1', network: 'blue' });
  });

  it('are deleted by name or id; other ports are unregistered', async () => {
    const [one, two] = [await create({ name: 's1' }), await create({ name: 's2' })];
    await api.store.putPort({ ifaceId: 'p9', name: 'mine' });
    expect((await api.send('DELETE', '/v1/vms/s1')).status).to.equal(204);
    expect((await api.send('DELETE', `/v1/vms/${two.iface_id}`)).status).to.equal(204);
    expect(api.store.model.virtualMachines.size).to.equal(0);
    expect(await fault('GET', `/v1/vms/${one.iface_id}`)).to.deep.equal([404, `VM ${one.iface_id} not found.`]);
    expect(await fault('DELETE', '/v1/vms/s1')).to.deep.equal([404, 'VM s1 not found.']);
    expect((await api.send('DELETE', '/v1/vms/p9')).status).to.equal(204);
    expect(await vms()).to.deep.equal([]);
  });

  it('that are hostlb’s are not registered', async () => {
    const { iface_id: id } = await create({ name: 's1', owner: 'x' });
    expect(await fault('PUT', `/v1/vms/${id}`, { vm: { owner: 'y' } })).to.deep.equal([
      409,
      `VM ${id} is hostlb's own: name and owner are what it was created with`,
    ]);
    expect(api.store.model.ports.size).to.equal(0);
  });

  it('are refused where they make no sense', async () => {
    const refused = (vm: object) => fault('POST', '/v1/vms', { vm: { name: 'x', host: 'h1', network: 'blue', ...vm } });
    await create({ name: 's1', addresses: ['10.0.0.21'] });
    const rows: readonly [object, number][] = [
      [{ name: 's1' }, 409],
      [{ name: undefined }, 400],
      [{ name: 7 }, 400],
      [{ host: 'h9' }, 404],
      [{ network: 'red' }, 404],
      [{ kind: 'switch' }, 400],
      [{ addresses: ['10.0.0.21'] }, 409],
      [{ addresses: ['192.0.2.1'] }, 400],
      [{ addresses: ['10.0.0.22', '10.0.0.23'] }, 400],
      [{ serve_port: 0 }, 400],
      [{ vcpus: 'x' }, 400],
      [{ vcpus: -1 }, 400],
      [{ memory_mib: 1.5 }, 400],
      [{ colour: 'red' }, 400],
    ];
    for (const [vm, status] of rows) {
      const [code, text] = await refused(vm);
      expect(code, `${JSON.stringify(vm)}: ${text}`).to.equal(status);
    }
    expect(api.store.model.virtualMachines.size).to.equal(1);
  });
});
