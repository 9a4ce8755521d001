import { expect } from 'chai';
import type { NetworkSpec } from '../../src/model/specs.ts';
import type { Placement } from '../../src/model/types.ts';
import { draftHost, draftNetwork, draftPort, requireDeletableNetwork } from '../../src/model/validate.ts';
import { blue, host, loadBalancer, member, modelOf, pool, red } from './fixtures.ts';
import { expectModelError } from './model-error.ts';

const web = loadBalancer('web', { pools: [pool('p', [member('10.0.0.21')])] });
const inUse = modelOf({ loadBalancers: [web] });
const long = 'x'.repeat(256);

type Refusal = readonly [why: string, code: 'invalid' | 'conflict' | 'unsupported' | 'not-found', message: string];

describe('network rules', () => {
  const spec: NetworkSpec = { name: 'green', vlan: 9, subnets: ['10.1.0.0/24'] };

  it('makes text canonical and puts IPv4 first', () => {
    const draft = draftNetwork(inUse, {
      ...spec,
      subnets: ['FD01::/64', '10.1.0.0/24'],
      balancerRanges: ['10.1.0.9-10.1.0.9'],
    });
    expect(draft).to.deep.equal({
      name: 'green',
      vlan: 9,
      subnets: ['10.1.0.0/24', 'fd01::/64'],
      balancerRanges: ['10.1.0.9'],
      antiSpoofing: true,
      subnetNames: {},
    });
    expect(draftNetwork(inUse, { ...spec, antiSpoofing: false }).antiSpoofing).to.equal(false);
  });

  const refused: readonly (readonly [...Refusal, Partial<NetworkSpec>])[] = [
    ['no name', 'invalid', 'Mandatory field missing', { name: '' }],
    ['VLAN 4095', 'invalid', "vlan. Value: '4095'", { vlan: 4095 }],
    ['VLAN -1', 'invalid', "vlan. Value: '-1'", { vlan: -1 }],
    ["another's VLAN", 'conflict', 'VLAN 7 of network green is already used by network red', { vlan: 7 }],
    ['host bits', 'invalid', 'the subnet is 10.1.0.0/24', { subnets: ['10.1.0.1/24'] }],
    [
      'overlapping subnets',
      'invalid',
      '10.1.0.0/24 and 10.1.0.128/25 overlap',
      { subnets: ['10.1.0.128/25', '10.1.0.0/24'] },
    ],
    ['33 subnets', 'conflict', 'limit of 32', { subnets: Array.from({ length: 33 }, (_, i) => `10.1.${i}.0/24`) }],
    [
      'a range outside',
      'invalid',
      'balancer range 10.2.0.1 lies in no subnet of network green',
      { balancerRanges: ['10.2.0.1'] },
    ],
    ['a range that leaves the subnet', 'invalid', 'lies in no subnet', { balancerRanges: ['10.1.0.250-10.1.1.5'] }],
    ['overlapping ranges', 'invalid', 'overlap', { balancerRanges: ['10.1.0.1-10.1.0.5', '10.1.0.5'] }],
    [
      '33 ranges',
      'conflict',
      'limit of 32',
      { balancerRanges: Array.from({ length: 33 }, (_, i) => `10.1.0.${i + 1}`) },
    ],
  ];
  for (const [why, code, message, change] of refused) {
    it(`refuses ${why}`, () => expectModelError(() => draftNetwork(inUse, { ...spec, ...change }), { code, message }));
  }

  describe('in use', () => {
    const now = { name: 'blue', vlan: 0, subnets: blue.subnets, balancerRanges: blue.balancerRanges };
    const addressed = modelOf({
      loadBalancers: [web],
      hosts: [host('h1')],
      addresses: [{ networkId: blue.id, hostId: 'host-h1', address: '10.0.0.240' }],
    });

    it('may grow', () => {
      expect(
        draftNetwork(addressed, { ...now, subnets: ['10.0.0.0/23', 'fd00::/64', 'fd01::/64'] }).subnets,
      ).to.have.length(3);
    });

    const changes: readonly (readonly [...Refusal, Partial<NetworkSpec>])[] = [
      [
        'another VLAN',
        'conflict',
        'VLAN of network blue cannot change from 0 to 5: load balancer web (lb-web) uses it',
        { vlan: 5 },
      ],
      [
        'losing a VIP',
        'conflict',
        'VIP 10.0.0.100 of load balancer web (lb-web) lies in no subnet',
        { subnets: ['10.0.0.0/26'], balancerRanges: [] },
      ],
      [
        'losing a member',
        'conflict',
        'member 10.0.0.21 of load balancer web (lb-web) lies in no subnet',
        { subnets: ['10.0.0.64/26', '10.0.0.128/25'] },
      ],
      [
        'a range over a VIP',
        'conflict',
        'VIP 10.0.0.100 of load balancer web (lb-web) lies in balancer range',
        { balancerRanges: ['10.0.0.90-10.0.0.250'] },
      ],
      [
        'a range over a member',
        'conflict',
        'member 10.0.0.21',
        { balancerRanges: ['10.0.0.20-10.0.0.30', '10.0.0.240'] },
      ],
      [
        "losing a host's address",
        'conflict',
        'address 10.0.0.240 of host h1 would lie outside',
        { balancerRanges: ['10.0.0.241'] },
      ],
    ];
    for (const [why, code, message, change] of changes) {
      it(`refuses ${why}`, () =>
        expectModelError(() => draftNetwork(addressed, { ...now, ...change }), { code, message }));
    }

    it('gets a family in which balancers outside the switch need an address with a range of it', () => {
      const six = { ...blue, subnets: ['fd00::/64'], balancerRanges: [] };
      const grown = { ...now, subnets: ['10.0.0.0/24', 'fd00::/64'], balancerRanges: [] };
      const model = (placement: Placement) => {
        const loadBalancers = [loadBalancer('six', { network: six, vips: ['fd00::100'], placement })];
        return modelOf({ networks: [six], loadBalancers });
      };
      expectModelError(() => draftNetwork(model('namespace'), grown), {
        code: 'conflict',
        message:
          'network blue would need a balancer range of IPv4, for load balancer six (lb-six) in placement namespace',
      });
      draftNetwork(model('switch'), grown);
      draftNetwork(model('namespace'), { ...grown, balancerRanges: blue.balancerRanges });
      draftNetwork(model('namespace'), { ...grown, subnets: ['fd00::/64', 'fd01::/80'] });
    });

    it('cannot be deleted', () => {
      expectModelError(() => requireDeletableNetwork(inUse, blue), {
        code: 'conflict',
        message: 'Network blue cannot be deleted: load balancer web (lb-web) uses it',
      });
      requireDeletableNetwork(inUse, red);
    });
  });
});

describe('host rules', () => {
  const model = modelOf({ hosts: [host('h1')] });

  for (const remote of [
    'tcp:192.0.2.9:6640',
    'ssl:[2001:db8::1]:6640',
    'tcp:host.example:1',
    'unix:/run/ovs/db.sock',
  ]) {
    it(`accepts ${remote}`, () => {
      expect(draftHost(model, { name: 'h2', remote })).to.deep.equal({ name: 'h2', remote, bridge: 'br-int' });
    });
  }

  for (const remote of [
    '192.0.2.1',
    'tcp:192.0.2.1',
    'tcp:192.0.2.1:0',
    'tcp:192.0.2.1:65536',
    'ptcp:6640',
    'unix:db.sock',
    'unix:',
    'http:x:1',
    'tcp:a b:1',
    `unix:/${'x'.repeat(107)}`,
  ]) {
    it(`refuses remote ${remote.slice(0, 20)}`, () =>
      expectModelError(() => draftHost(model, { name: 'h2', remote }), {
        code: 'invalid',
        message: `attribute remote. Value: '${remote.slice(0, 80)}`,
      }));
  }

  for (const name of ['', 'a b', 'x'.repeat(64), 'ä', 'a/b']) {
    it(`refuses name '${name.slice(0, 8)}'`, () =>
      expectModelError(() => draftHost(model, { name, remote: 'tcp:192.0.2.2:1' }), {
        code: 'invalid',
        message: 'attribute name',
      }));
  }

  it('refuses a bridge name that cannot be', () => {
    for (const bridge of ['', 'br/int', 'a b', 'x'.repeat(16)]) {
      expectModelError(() => draftHost(model, { name: 'h2', remote: 'tcp:192.0.2.2:1', bridge }), {
        code: 'invalid',
        message: 'attribute bridge',
      });
    }
  });

  it('refuses the bridge of another host, not another bridge of the same Open vSwitch', () => {
    const remote = 'tcp:192.0.2.1:6640';
    expectModelError(() => draftHost(model, { name: 'h2', remote }), {
      code: 'conflict',
      message: 'bridge br-int at tcp:192.0.2.1:6640 of host h2 is already host h1',
    });
    expect(draftHost(model, { name: 'h2', remote, bridge: 'br1' }).bridge).to.equal('br1');
    expect(draftHost(model, { name: 'h1', remote }).name).to.equal('h1');
  });

  it('checks ports', () => {
    expect(draftPort({ ifaceId: 'vm1' })).to.deep.equal({ ifaceId: 'vm1', name: '', owner: '' });
    expectModelError(() => draftPort({ ifaceId: '' }), { code: 'invalid', message: 'iface_id' });
    expectModelError(() => draftPort({ ifaceId: long }), { code: 'invalid', message: 'iface_id' });
  });
});
