import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DEFAULT_TOPOLOGY, LabError, parseTopology, readTopology } from '../../src/lab/index.ts';

const valid = {
  hosts: [{ name: 'h1' }, { name: 'h2' }],
  networks: [{ name: 'blue', subnets: ['10.0.0.0/24', 'fd00::/64'] }],
  vms: [{ name: 'c1', host: 'h1', network: 'blue', ips: ['10.0.0.11'] }],
};

describe('lab topology', () => {
  it('the default has three hosts, a client on each, four servers', async () => {
    const { hosts, networks, vms } = await readTopology(DEFAULT_TOPOLOGY);
    expect(hosts.map(({ name }) => name)).to.deep.equal(['h1', 'h2', 'h3']);
    expect(networks).to.deep.equal([
      { name: 'blue', vlan: 0, subnets: ['10.0.0.0/24', 'fd00::/64'], balancer_range: '10.0.0.240-10.0.0.250' },
    ]);
    const lines = vms.map(({ name, host, ips, serve }) => [name, host, ...ips!, serve ?? '-'].join(' '));
    expect(lines).to.deep.equal([
      'c1 h1 10.0.0.11 fd00::11 -',
      'c2 h2 10.0.0.12 fd00::12 -',
      'c3 h3 10.0.0.13 fd00::13 -',
      's1 h1 10.0.0.21 fd00::21 80',
      's2 h2 10.0.0.22 fd00::22 80',
      's3 h2 10.0.0.23 fd00::23 80',
      's4 h3 10.0.0.24 fd00::24 80',
    ]);
  });

  it('fills in what may be left out', () => {
    expect(parseTopology({ hosts: valid.hosts, networks: valid.networks })).to.deep.include({ vms: [] });
    expect(parseTopology(valid).networks[0]).to.include({ vlan: 0 });
    const open = { ...valid.networks[0], anti_spoofing: false };
    expect(parseTopology({ ...valid, networks: [open] }).networks[0]).to.include({ anti_spoofing: false });
  });

  const [network] = valid.networks;
  const [vm] = valid.vms;
  const faults: [string, object, string][] = [
    ['no hosts', { hosts: [] }, 'hosts: '],
    [
      'a host name that cannot be an interface',
      { hosts: [{ name: 'h1' }, { name: 'Host 2' }] },
      'hosts[1].name: must be 1 to 15',
    ],
    ['a host that is called as the segment', { hosts: [{ name: 'segment' }] }, 'hosts[0].name: '],
    [
      'a host named twice',
      { hosts: [{ name: 'h1' }, { name: 'h1' }] },
      'hosts[1].name: "h1" is the name of hosts[0] too',
    ],
    ['a VM named as a host', { vms: [{ ...vm, name: 'h2' }] }, 'vms[0].name: "h2" is the name of hosts[1] too'],
    ['an unknown key', { networks: [{ ...network, vlna: 3 }] }, 'networks[0]: Unrecognized key'],
    ['a VLAN out of range', { networks: [{ ...network, vlan: 4095 }] }, 'networks[0].vlan: '],
    [
      'a subnet without length',
      { networks: [{ ...network, subnets: ['10.0.0.0'] }] },
      'networks[0].subnets[0]: must be a subnet',
    ],
    [
      'a range back to front',
      { networks: [{ ...network, balancer_range: '10.0.0.9-10.0.0.2' }] },
      'networks[0].balancer_range: ',
    ],
    ['a word for a flag', { networks: [{ ...network, anti_spoofing: 'off' }] }, 'networks[0].anti_spoofing: '],
    ['an unknown host', { vms: [{ ...vm, host: 'h9' }] }, 'vms[0].host: no host "h9"'],
    ['an unknown network', { vms: [{ ...vm, network: 'red' }] }, 'vms[0].network: no network "red"'],
    [
      'an address of another subnet',
      { vms: [{ ...vm, ips: ['10.9.0.1'] }] },
      'vms[0].ips: address 10.9.0.1: not in a subnet',
    ],
    ['an address twice', { vms: [vm, { ...vm, name: 'c2' }] }, 'vms[1].ips: address 10.0.0.11: VM c1 has it'],
    ['a multicast MAC', { vms: [{ ...vm, mac: '01:00:5e:00:00:01' }] }, 'vms[0].mac: '],
    ['a port that is none', { vms: [{ ...vm, serve: 0 }] }, 'vms[0].serve: '],
  ];
  for (const [title, change, message] of faults) {
    it(`refuses ${title}, naming the place`, () => {
      expect(() => parseTopology({ ...valid, ...change })).to.throw(LabError, message);
    });
  }

  it('names the file that is not there, or not YAML', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'hostlb-topology-'));
    try {
      const failure = async (file: string): Promise<string> =>
        readTopology(file).then(
          () => 'accepted',
          (error: unknown) => (error instanceof LabError ? error.message : `unexpected ${error}`),
        );
      const file = join(dir, 'bad.yaml');
      expect(await failure(file)).to.match(/bad\.yaml: ENOENT/);
      await writeFile(file, 'hosts: [');
      expect(await failure(file)).to.match(/bad\.yaml: Flow sequence/);
      await writeFile(file, '');
      expect(await failure(file)).to.match(/bad\.yaml: topology: /);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
