import { expect } from 'chai';
import { type ApiFixture, addBlue, startApi } from '../support/api.ts';

const LBS = '/v2.0/lbaas/loadbalancers';
const NETWORK = '3fa4c1de-0000-4000-8000-0000000000aa';
const SUBNET = '3fa4c1de-0000-4000-8000-0000000000bb';

describe('API: networks that only another system knows', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi();
  });
  after(() => api.stop());
  afterEach(() => api.clear());

  const create = (loadbalancer: object) => api.send('POST', LBS, { loadbalancer });

  it('are believed while hostlb has none of its own; load balancers in them become active and stay offline', async () => {
    const { status, body } = await create({ vip_network_id: NETWORK, vip_subnet_id: SUBNET, vip_address: '192.0.2.9' });
    expect(status, JSON.stringify(body)).to.equal(201);
    const { id, ...lb } = body.loadbalancer;
    expect(lb).to.include({ vip_network_id: NETWORK, vip_subnet_id: SUBNET, vip_address: '192.0.2.9' });
    expect(lb).to.include({ provisioning_status: 'ACTIVE', operating_status: 'OFFLINE' });
    const pool = { protocol: 'TCP', lb_algorithm: 'SOURCE_IP', loadbalancer_id: id };
    const poolId = (await api.send('POST', '/v2.0/lbaas/pools', { pool })).body.pool.id;
    const member = { address: '203.0.113.5', protocol_port: 80, subnet_id: SUBNET };
    const added = await api.send('POST', `/v2.0/lbaas/pools/${poolId}/members`, { member });
    expect(added.body.member).to.include(member);
    expect((await api.send('GET', `/v1/networks/${NETWORK}`)).body.network).to.include({ vlan: null });
  });

  it('give VIPs that are nobody’s, and go with their last load balancer', async () => {
    const one = (await create({ vip_network_id: NETWORK })).body.loadbalancer;
    const two = (await create({ vip_network_id: NETWORK })).body.loadbalancer;
    expect([one.vip_address, two.vip_address]).to.deep.equal(['198.19.255.254', '198.19.255.253']);
    await api.send('DELETE', `${LBS}/${one.id}`);
    expect(api.store.model.networks.has(NETWORK)).to.equal(true);
    await api.send('DELETE', `${LBS}/${two.id}`);
    expect(api.store.model.networks.size).to.equal(0);
  });

  it('leave nothing behind when the load balancer is refused', async () => {
    const { status } = await create({ vip_network_id: NETWORK, vip_address: '127.0.0.1' });
    expect(status).to.equal(400);
    expect(api.store.model.networks.size).to.equal(0);
  });

  it('get a VLAN and subnets from an administrator, while load balancers are in them', async () => {
    await create({ vip_network_id: NETWORK, vip_address: '192.0.2.9' });
    const put = (network: object) => api.send('PUT', `/v1/networks/${NETWORK}`, { network });
    expect((await put({ vlan: 5, subnets: ['10.0.0.0/24'] })).status).to.equal(409);
    const { status, body } = await put({ vlan: 5, subnets: ['192.0.2.0/24'] });
    expect(status, JSON.stringify(body)).to.equal(200);
    expect(body.network).to.deep.include({ id: NETWORK, vlan: 5, subnets: ['192.0.2.0/24'] });
  });

  it('are mistakes as soon as hostlb has a network of its own', async () => {
    await addBlue(api.store);
    const network = await create({ vip_network_id: NETWORK });
    expect([network.status, network.body.faultstring]).to.deep.equal([400, `Network ${NETWORK} not found.`]);
    const subnet = await create({ vip_subnet_id: SUBNET });
    expect([subnet.status, subnet.body.faultstring]).to.deep.equal([400, `Subnet ${SUBNET} not found.`]);
  });
});
