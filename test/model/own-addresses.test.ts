import { expect } from 'chai';
import { ownAddresses } from '../../src/model/own-addresses.ts';
import { balancerMac, ipv6FromMac } from '../../src/model/vip-mac.ts';
import { blue, modelOf } from './fixtures.ts';

const derived = ipv6FromMac('fd00::/64', balancerMac('h1', blue.id));
const given = (...addresses: readonly string[]) => ({
  addresses: addresses.map((address) => ({ hostId: 'h1', networkId: blue.id, address })),
});

describe("a host's own addresses in a network", () => {
  const cases = [
    { what: 'IPv4 given, IPv6 from the MAC', subnets: blue.subnets, has: ['10.0.0.240'], own: ['10.0.0.240', derived] },
    { what: 'none while it waits for an IPv4 address', subnets: blue.subnets, has: [], own: [] },
    { what: 'both given', subnets: blue.subnets, has: ['10.0.0.240', 'fd00::240'], own: ['10.0.0.240', 'fd00::240'] },
    { what: 'IPv6 only, from the MAC', subnets: ['fd00::/64'], has: [], own: [derived] },
    { what: 'IPv6 only, given', subnets: ['fd00::/64'], has: ['fd00::240'], own: ['fd00::240'] },
    { what: 'none while it waits in an IPv6 subnet that no MAC fits', subnets: ['fd00::/80'], has: [], own: [] },
    { what: 'IPv4 only', subnets: ['10.0.0.0/24'], has: ['10.0.0.240'], own: ['10.0.0.240'] },
  ];
  for (const { what, subnets, has, own } of cases) {
    it(`are: ${what}`, () => {
      expect(ownAddresses(modelOf(given(...has)), 'h1', { ...blue, subnets })).to.deep.equal(own);
    });
  }

  it("are not another host's, nor another network's", () => {
    const model = modelOf(given('10.0.0.240'));
    expect(ownAddresses(model, 'h2', blue)).to.deep.equal([]);
    expect(ownAddresses(model, 'h1', { ...blue, id: 'other' })).to.deep.equal([]);
  });
});
