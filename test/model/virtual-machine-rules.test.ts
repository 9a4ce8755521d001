import { expect } from 'chai';
import type { NetworkSpec, VirtualMachineSpec } from '../../src/model/specs.ts';
import type { Model, VirtualMachine } from '../../src/model/types.ts';
import {
  draftLoadBalancer,
  draftNetwork,
  draftVirtualMachine,
  requireDeletableNetwork,
} from '../../src/model/validate.ts';
import { MAC_PREFIX, virtualMachineMac } from '../../src/model/vip-mac.ts';
import { blue, host, loadBalancer, member, modelOf, pool } from './fixtures.ts';
import { expectModelError } from './model-error.ts';

type Refusal = readonly [why: string, code: 'invalid' | 'conflict' | 'unsupported' | 'not-found', message: string];

function machine(name: string, given: Partial<VirtualMachine> = {}): VirtualMachine {
  return {
    ...{ id: `vm-${name}`, key: 1, name, hostId: 'host-h1', kind: 'namespace', network: blue, owner: '' },
    ...{ mac: '', addresses: ['10.0.0.3', 'fd00::3'], servePort: undefined, image: undefined, since: '' },
    ...{ vcpus: undefined, memoryMib: undefined, state: 'pending', error: '' },
    ...given,
  };
}

function site(machines: readonly VirtualMachine[], networks = [blue]): Model {
  const members = [member('10.0.0.4'), { ...member('10.0.0.20'), monitorAddress: '10.0.0.5' }];
  const web = loadBalancer('web', { vips: ['10.0.0.2'], pools: [pool('p', members)] });
  return {
    ...modelOf({ networks, hosts: [host('h1')], loadBalancers: [web] }),
    virtualMachines: new Map(machines.map((one) => [one.id, one])),
  };
}

const one = site([machine('one')]);
const spec: VirtualMachineSpec = { name: 'new', host: 'h1', network: 'blue' };

describe('virtual machine rules', () => {
  it('fills in defaults and picks the lowest address that nobody has', () => {
    expect(draftVirtualMachine(one, spec)).to.deep.equal({
      name: 'new',
      hostId: 'host-h1',
      kind: 'namespace',
      network: blue,
      owner: '',
      addresses: ['10.0.0.6', 'fd00::2'],
      servePort: undefined,
      vcpus: undefined,
      memoryMib: undefined,
      image: undefined,
    });
  });

  it('picks outside balancer ranges, and says so when nothing is left', () => {
    const subnets = ['10.0.0.0/29'];
    const small = site([], [{ ...blue, subnets, balancerRanges: ['10.0.0.3-10.0.0.5'] }]);
    expect(draftVirtualMachine(small, spec).addresses).to.deep.equal(['10.0.0.6']);
    const full = site([], [{ ...blue, subnets, balancerRanges: ['10.0.0.3-10.0.0.6'] }]);
    expectModelError(() => draftVirtualMachine(full, spec), {
      code: 'conflict',
      message: 'Network blue has no free IPv4 address for a virtual machine',
    });
    const single = site([], [{ ...blue, subnets: ['fd00::7/128'], balancerRanges: [] }]);
    expect(draftVirtualMachine(single, spec).addresses).to.deep.equal(['fd00::7']);
  });

  it("may have a member's address: that is what back ends are made for", () => {
    const draft = draftVirtualMachine(one, { ...spec, addresses: ['FD00:0::4', '10.0.0.4'] });
    expect(draft.addresses).to.deep.equal(['10.0.0.4', 'fd00::4']);
  });

  const refused: readonly (readonly [...Refusal, Partial<VirtualMachineSpec>])[] = [
    ['a name twice', 'conflict', 'A virtual machine of one already exists.', { name: 'one' }],
    ['no name', 'invalid', 'name', { name: '' }],
    ['a name with a slash', 'invalid', "name. Value: '../x'", { name: '../x' }],
    ['an unknown host', 'not-found', 'Host h9 not found.', { host: 'h9' }],
    ['an unknown network', 'not-found', 'Network nope not found.', { network: 'nope' }],
    ['an unknown kind', 'invalid', 'Value should be one of: namespace, container, vm', { kind: 'pod' as 'vm' }],
    ['two addresses of a family', 'invalid', 'at most one address', { addresses: ['10.0.0.8', '10.0.0.9'] }],
    [
      'an address outside',
      'invalid',
      'address 10.9.0.1 of virtual machine new lies in no subnet',
      {
        addresses: ['10.9.0.1'],
      },
    ],
    ['an address of balancers', 'invalid', 'lies in balancer range', { addresses: ['10.0.0.240'] }],
    [
      'a VIP',
      'conflict',
      'address 10.0.0.2 of virtual machine new is the VIP of load balancer web',
      {
        addresses: ['10.0.0.2'],
      },
    ],
    ["another's address", 'conflict', 'is already that of virtual machine one', { addresses: ['fd00::3'] }],
    ['serve_port 0', 'invalid', "serve_port. Value: '0'", { servePort: 0 }],
    ['half a CPU of a VM', 'invalid', 'whole number of CPUs', { kind: 'vm', vcpus: 0.5 }],
    ['too little memory', 'invalid', 'memory_mib', { memoryMib: 1 }],
    ['an image of a namespace', 'invalid', 'A namespace has no image', { image: 'x' }],
  ];
  for (const [why, code, message, change] of refused) {
    it(`refuses ${why}`, () =>
      expectModelError(() => draftVirtualMachine(one, { ...spec, ...change }), { code, message }));
  }

  it('keeps its address from VIPs and its network from changes under it', () => {
    const claim = () => draftLoadBalancer(one, { network: 'blue', vips: ['10.0.0.3'] });
    expectModelError(claim, { code: 'conflict', message: 'VIP 10.0.0.3 in network blue is the address of virtual' });
    const crowded = site(
      [machine('m', { addresses: ['10.0.0.6'] })],
      [{ ...blue, subnets: ['10.0.0.0/29'], balancerRanges: [] }],
    );
    expect(draftLoadBalancer(crowded, { network: 'blue', vips: [] }).vips).to.deep.equal(['10.0.0.3']);
    const alone = { ...one, loadBalancers: new Map() };
    const change = (given: Partial<NetworkSpec>) => () =>
      draftNetwork(alone, { name: 'blue', subnets: blue.subnets, balancerRanges: blue.balancerRanges, ...given });
    expect(change({})().name).to.equal('blue');
    for (const [given, message] of [
      [{ vlan: 9 }, 'VLAN of network blue cannot change from 0 to 9: virtual machine one uses it'],
      [{ subnets: ['10.0.0.0/24'] }, 'address fd00::3 of virtual machine one lies in no subnet'],
      [{ balancerRanges: ['10.0.0.3'] }, 'address 10.0.0.3 of virtual machine one lies in balancer range'],
    ] as const) {
      expectModelError(change(given), { code: 'conflict', message });
    }
    expectModelError(() => requireDeletableNetwork(alone, blue), { code: 'conflict', message: 'virtual machine one' });
  });

  it('has a MAC that no other kind has', () => {
    expect(virtualMachineMac('x'))
      .to.match(/^16(:[0-9a-f]{2}){5}$/)
      .and.not.to.equal(virtualMachineMac('y'));
    const prefixes = Object.values(MAC_PREFIX);
    expect(new Set(prefixes).size).to.equal(prefixes.length);
    for (const prefix of prefixes) expect(prefix & 3).to.equal(2);
  });
});
