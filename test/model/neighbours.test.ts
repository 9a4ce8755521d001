import { expect } from 'chai';
import { staticNeighbours } from '../../src/model/neighbours.ts';
import { vipMac } from '../../src/model/vip-mac.ts';
import { blue, loadBalancer, modelOf, red } from './fixtures.ts';

describe('permanent neighbour entries', () => {
  const both = loadBalancer('both', { lookupMode: 'static', vips: ['10.0.0.100', 'fd00::100'] });
  const ofX = loadBalancer('of-x', { lookupMode: 'static', owner: 'x', vips: ['10.0.0.101'] });
  const ofY = loadBalancer('of-y', { lookupMode: 'static', owner: 'y', vips: ['10.0.0.102'] });
  const answered = loadBalancer('answered', { vips: ['10.0.0.103'] });
  const announced = loadBalancer('announced', { lookupMode: 'announce', vips: ['10.0.0.104'] });
  const elsewhere = loadBalancer('elsewhere', { lookupMode: 'static', network: red });
  const model = modelOf({ loadBalancers: [ofY, answered, both, announced, ofX, elsewhere] });
  const addresses = (networkId: string, owner: string) =>
    staticNeighbours(model, { networkId, owner }).map(({ address }) => address);

  it('are the VIPs that nobody answers lookups for, in the same network, of the same owner or none', () => {
    expect(addresses(blue.id, 'x')).to.deep.equal(['10.0.0.100', 'fd00::100', '10.0.0.101']);
    expect(addresses(blue.id, 'z')).to.deep.equal(['10.0.0.100', 'fd00::100']);
    expect(addresses(blue.id, '')).to.deep.equal(['10.0.0.100', 'fd00::100', '10.0.0.101', '10.0.0.102']);
    expect(addresses(red.id, 'x')).to.deep.equal(['10.0.0.100']);
    expect(addresses('unknown', '')).to.deep.equal([]);
  });

  it('name the VIP MAC and the load balancer', () => {
    expect(staticNeighbours(model, { networkId: red.id, owner: '' })).to.deep.equal([
      { address: '10.0.0.100', mac: vipMac(elsewhere.id), loadBalancerId: elsewhere.id },
    ]);
  });
});
