import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { parse as parseYaml } from 'yaml';
import { vipMac } from '../../src/model/vip-mac.ts';
import { type ApiFixture, addBlue, clientPort, startApi } from '../support/api.ts';
import { requireSystem } from '../support/requirements.ts';

const MAC = '52:54:00:0e:0b:01';

describe('API: permanent neighbour entries of VMs', () => {
  let api: ApiFixture;
  /** Id of the load balancer of owner x in lookup mode `static`. */
  let quiet: string;
  before(async () => {
    api = await startApi();
  });
  after(() => api.stop());
  beforeEach(async () => {
    const network = await addBlue(api.store);
    const create = (name: string, spec: object) => api.store.createLoadBalancer({ name, network, vips: [], ...spec });
    ({ id: quiet } = await create('quiet', {
      ...{ vips: ['10.0.0.100', 'fd00::100'], lookupMode: 'static', owner: 'x' },
    }));
    await create('loud', { lookupMode: 'announce' });
    await create('other', { lookupMode: 'static', owner: 'y' });
    api.view.seen = [
      clientPort({ ifaceId: 'p1', host: 'h1', network, owner: 'x', mac: MAC.toUpperCase(), vmId: 'vm-1' }),
      clientPort({ ifaceId: 'p2', host: 'h1', network, owner: 'z' }),
      clientPort({ ifaceId: 'p3', host: 'h1', network: undefined }),
      clientPort({ ifaceId: 'p4', host: 'h1', network, mac: '$(reboot)', state: 'ignored', reason: 'no MAC' }),
      clientPort({ ifaceId: 'p5', host: 'h1', network, mac: undefined, state: 'ignored', reason: 'no MAC' }),
    ];
  });
  afterEach(() => api.clear());

  const wanted = () =>
    ['10.0.0.100', 'fd00::100'].map((address) => ({
      ...{ address, mac: vipMac(quiet), loadbalancer: 'quiet', loadbalancer_id: quiet, network: 'blue' },
    }));
  const fault = async (path: string) => {
    const answer = await api.send('GET', path);
    return [answer.status, answer.body.faultstring];
  };
  const config = async (path: string) => {
    const { status, body, headers } = await api.send('GET', path);
    expect(status, JSON.stringify(body)).to.equal(200);
    expect(headers['content-type']).to.match(/^text\/cloud-config\b/);
    expect(body).to.match(/^#cloud-config\n/);
    return parseYaml(body);
  };

  it('are those of load balancers that serve it and answer no lookups', async () => {
    for (const vm of ['p1', 'vm-1']) {
      expect((await api.send('GET', `/v1/vms/${vm}/neighbours`)).body).to.deep.equal({ neighbours: wanted() });
    }
    expect((await api.send('GET', '/v1/vms/p2/neighbours')).body).to.deep.equal({ neighbours: [] });
    expect(await fault('/v1/vms/nope/neighbours')).to.deep.equal([404, 'VM nope not found.']);
    expect(await fault('/v1/vms/p3/neighbours')).to.deep.equal([
      409,
      'VM p3 is in no network that is known: plug it in, or add ?network=NAME',
    ]);
  });

  it('can be had for a VM that is yet to be made', async () => {
    const { body } = await api.send('GET', '/v1/vms/new/neighbours?network=blue&owner=x');
    expect(body.neighbours).to.deep.equal(wanted());
    expect(await fault('/v1/vms/new/neighbours?network=red')).to.deep.equal([404, 'Network red not found.']);
    const { bootcmd } = await config(`/v1/vms/new/cloud-init?network=blue&owner=x&mac=${MAC}`);
    expect(bootcmd).to.deep.equal((await config('/v1/vms/p1/cloud-init')).bootcmd);
    expect(await fault('/v1/vms/new/cloud-init?network=blue')).to.deep.equal([
      409,
      'The MAC of VM new is not known: plug it in, or add ?mac=MAC',
    ]);
  });

  it('need a MAC that is one: nothing from elsewhere gets into the commands', async () => {
    expect(await fault('/v1/vms/p4/cloud-init')).to.deep.equal([409, "The MAC of VM p4 is '$(reboot)', which is none"]);
    expect((await fault('/v1/vms/p5/cloud-init'))[0]).to.equal(409);
    const query = `network=blue&mac=${encodeURIComponent(`${MAC}\n`)}`;
    expect((await fault(`/v1/vms/new/cloud-init?${query}`))[0]).to.equal(409);
  });

  it('leave nothing to do at boot where there are none', async () => {
    expect((await config('/v1/vms/p2/cloud-init')).bootcmd).to.deep.equal([]);
  });

  describe('at boot', () => {
    const space = `api-neigh-${process.pid}`;
    const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
    before(function () {
      requireSystem(this);
    });
    beforeEach(() => {
      ip('netns', 'add', space);
      // The VM's interface is not the first one, and a bond of a sort carries another MAC that is no concern of ours.
      ip('-n', space, 'link', 'add', 'aa0', 'type', 'veth', 'peer', 'name', 'aa1');
      ip('-n', space, 'link', 'add', 'eth7', 'address', MAC, 'type', 'veth', 'peer', 'name', 'peer7');
      for (const device of ['aa0', 'eth7', 'peer7']) ip('-n', space, 'link', 'set', device, 'up');
    });
    afterEach(() => ip('netns', 'delete', space));

    const boot = async () => {
      const { bootcmd } = await config('/v1/vms/p1/cloud-init');
      for (const command of bootcmd) {
        expect(command).to.be.a('string');
        execFileSync('ip', ['netns', 'exec', space, 'sh', '-e', '-c', command], { stdio: 'pipe' });
      }
    };
    const entries = () => {
      const shown = ['-4', '-6'].flatMap((family) =>
        JSON.parse(ip('-n', space, family, '-j', 'neigh', 'show', 'nud', 'permanent') || '[]'),
      );
      return shown.map(({ dst, dev, lladdr }) => ({ dst, dev, lladdr }));
    };
    const expected = (dev: string) => wanted().map(({ address, mac }) => ({ dst: address, dev, lladdr: mac }));

    it('are written on the interface that has the MAC, as often as one likes', async () => {
      await boot();
      expect(entries()).to.deep.equal(expected('eth7'));
      await boot();
      expect(entries()).to.deep.equal(expected('eth7'));
    });

    it('replace what was there', async () => {
      ip('-n', space, 'neigh', 'add', '10.0.0.100', 'lladdr', '02:00:00:00:00:99', 'dev', 'eth7', 'nud', 'stale');
      await boot();
      expect(entries()).to.deep.equal(expected('eth7'));
    });

    it('are written on the bridge that the interface is part of', async () => {
      ip('-n', space, 'link', 'add', 'br0', 'address', MAC, 'type', 'bridge');
      ip('-n', space, 'link', 'set', 'br0', 'up');
      ip('-n', space, 'link', 'set', 'eth7', 'master', 'br0');
      await boot();
      expect(entries()).to.deep.equal(expected('br0'));
    });
  });
});
