/** Every operation that the description tells of, with requests that fit it, nearly fit it, and do not. */
import { expect } from 'chai';
import fc from 'fast-check';
import { hashPassword } from '../../src/api/auth/passwords.ts';
import { type OpenApiOperation, openApi } from '../../src/api/description/openapi.ts';
import { type ApiFixture, addBlue, addWeb, clientPort, startApi } from '../support/api.ts';
import { PLACEHOLDER, textFor, valueFor } from '../support/from-schema.ts';

const SEED = 20_260_101;
const REQUESTS = { withBody: 24, without: 8 };
const ADMIN = { 'x-auth-token': 'fuzz-token-of-16-characters' };

interface Request {
  readonly path: string;
  readonly body: string | undefined;
}

describe('API: requests made from its description', () => {
  let api: ApiFixture;

  before(async () => {
    api = await startApi({
      auth: { tokens: [{ token: ADMIN['x-auth-token'], name: 'root', project: 'acme', roles: ['admin'] }] },
    });
    const passwordHash = await hashPassword('correct horse', { N: 16, r: 8, p: 1 });
    await api.accounts.putUser('ann', { passwordHash, grants: { acme: ['load-balancer_member'] } });
  });
  after(() => api.stop());

  /** Something of every kind. */
  async function furnish(): Promise<void> {
    await api.clear();
    const { store } = api;
    const network = await addBlue(store);
    await store.putHost({ name: 'h1', remote: 'tcp:192.0.2.1:6640' });
    const web = await addWeb(store);
    await store.createHealthMonitor(web.pools[0]!.id, {
      type: 'TCP',
      delaySeconds: 5,
      timeoutSeconds: 3,
      maxRetries: 3,
    });
    const rules = [{ type: 'PATH', compareType: 'REGEX', value: '^/a' }] as const;
    const l7Policies = [{ action: 'REJECT', rules }] as const;
    await store.createLoadBalancer({
      ...{ name: 'shop', network: 'blue', vips: [], placement: 'namespace' },
      listeners: [{ protocol: 'HTTP', protocolPort: 80, l7Policies }],
      pools: [{ name: 'pages', protocol: 'HTTP', algorithm: 'ROUND_ROBIN' }],
    });
    const profile = await store.createFlavorProfile({ name: 'small', placement: 'namespace', data: { vcpus: 1 } });
    await store.createFlavor({ name: 'small', profile: profile.id });
    const rack = await store.createAvailabilityZoneProfile({ name: 'rack1', placement: 'switch', hosts: ['h1'] });
    await store.createAvailabilityZone({ name: 'rack1', profile: rack.id });
    await store.createVirtualMachine({ name: 's1', host: 'h1', network: 'blue' });
    await store.putPort({ ifaceId: 'tap7', name: 'c1' });
    api.view.seen = [clientPort({ ifaceId: 'tap7', host: 'h1', network })];
    api.view.flowsOf.set('h1', 'table=0 actions=NORMAL\n');
    api.view.diffOf.set('h1', { inSync: true, text: '' });
  }

  /** Ids of what there is now, by what attributes and parameters call them. */
  function known(): Readonly<Record<string, readonly string[]>> {
    const { loadBalancers, networks, hosts, flavors, flavorProfiles, virtualMachines } = api.store.model;
    const zoneProfiles = [...api.store.model.availabilityZoneProfiles.keys()];
    const all = [...loadBalancers.values()];
    const [listeners, pools] = [all.flatMap((lb) => lb.listeners), all.flatMap((lb) => lb.pools)];
    const policies = listeners.flatMap((listener) => listener.l7Policies);
    const ids = (objects: Iterable<{ readonly id: string } | undefined>) =>
      [...objects].flatMap((one) => one?.id ?? []);
    return {
      ...{ loadbalancer: ids(all), listener: ids(listeners), pool: ids(pools), default_pool: ids(pools) },
      ...{ l7policy: ids(policies), rule: ids(policies.flatMap(({ rules }) => rules)), redirect_pool: ids(pools) },
      ...{ member: ids(pools.flatMap((pool) => pool.members)), network: [...ids(networks.values()), 'blue'] },
      ...{ healthmonitor: ids(pools.map((pool) => pool.healthMonitor)), subnet: [], host: ['h1', ...hosts.keys()] },
      ...{
        availabilityzone: ['rack1'],
        availabilityzoneprofile: zoneProfiles,
        availability_zone_profile: zoneProfiles,
      },
      ...{ flavor: [...flavors.keys()], flavor_profile: [...flavorProfiles.keys()] },
      ...{ flavorprofile: [...flavorProfiles.keys()], vm: ['tap7', 's1', ...virtualMachines.keys()] },
      ...{ user: ['ann', ...ids(api.accounts.users())], provider: ['switch', 'vm'], quota: ['acme'] },
    };
  }

  /** With ids in the place of what stands for them. */
  function completed({ path, body }: Request): Request {
    const ids = known();
    const fill = (text: string) =>
      text.replaceAll(PLACEHOLDER, (_, kind: string, n: string) => {
        const some = ids[kind] ?? [];
        return some[Number(n) % some.length] ?? 'ac3a1b3c-0000-4000-8000-000000000000';
      });
    return { path: fill(path), body: body === undefined ? undefined : fill(body) };
  }

  for (const [path, operations] of Object.entries(openApi().paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      it(`${method.toUpperCase()} ${path}`, async () => {
        if (!isFurnished()) await furnish();
        for (const request of requests(path, operation)) {
          const { path: url, body } = completed(request);
          const { status, headers } = await api.send(method.toUpperCase(), url, body, ADMIN);
          const told = `${method} ${url} ${body?.slice(0, 1000)}`;
          expect(status < 500 || status === 501, `${status} for ${told}`).to.equal(true);
          expect(headers, told).to.have.property('x-openstack-request-id');
        }
      });
    }
  }

  /** Whether a path into the depth still leads to something. */
  const isFurnished = () =>
    api.store.model.hosts.size > 0 &&
    [...api.store.model.loadBalancers.values()].some(
      ({ listeners, pools }) =>
        listeners.length > 0 &&
        pools.some(({ members, healthMonitor }) => members.length > 0 && healthMonitor !== undefined),
    );

  function requests(path: string, { parameters, requestBody }: OpenApiOperation): readonly Request[] {
    const parts = path
      .split('/')
      .map((part, i, all) => (part.startsWith('{') ? parameter(all[i - 1]!) : fc.constant(part)));
    const names = parameters.map((one) => ('name' in one ? one.name : one.$ref.split('/').at(-1)!));
    const schema = requestBody?.content['application/json'].schema;
    const made = fc.record({
      path: fc.tuple(...parts).map((all) => all.join('/')),
      query: query(names),
      body: schema === undefined ? fc.constant(undefined) : bodyFor(valueFor(schema)),
    });
    const numRuns = schema === undefined ? REQUESTS.without : REQUESTS.withBody;
    // a stream of events has no end
    const first = path === '/v1/events' ? '?follow=false' : '?';
    return fc
      .sample(made, { seed: SEED, numRuns })
      .map((one) => ({ path: `${one.path}${first}${one.query}`, body: one.body }));
  }
});

/** An object of the collection, mostly. */
function parameter(collection: string): fc.Arbitrary<string> {
  const id = fc.nat(9).map((n) => `<${collection.replace(/ies$/, 'y').replace(/s$/, '')} ${n}>`);
  const other = textFor('').map((text) => encoded(text) || 'x');
  return fc.oneof({ arbitrary: id, weight: 8 }, { arbitrary: other, weight: 1 });
}

/** Mostly none, else one parameter that is known or is not. */
function query(names: readonly string[]): fc.Arbitrary<string> {
  const value = textFor('').map(encoded);
  const given = fc
    .tuple(fc.constantFrom(...names, 'name', 'id', 'bogus'), value)
    .map(([name, text]) => `&${name}=${text}`);
  return fc.oneof({ arbitrary: fc.constant(''), weight: 3 }, { arbitrary: given, weight: 1 });
}

/** As JSON, mostly whole. */
function bodyFor(value: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const text = value.map((one) => JSON.stringify(one) ?? 'null');
  const broken = fc.tuple(text, fc.nat(200)).map(([whole, cut]) => whole.slice(0, cut));
  return fc.oneof({ arbitrary: text, weight: 20 }, { arbitrary: broken, weight: 1 });
}

/** Without what cannot be in a URL. */
const encoded = (text: string): string => encodeURIComponent(text.replaceAll(/\p{Cs}/gu, ''));
