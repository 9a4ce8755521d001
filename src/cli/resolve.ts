import { CliError } from './io.ts';
import { enc, field, type Session } from './session.ts';

/** The kinds of object that have both an id and a name, with where the API keeps them. */
const KINDS = {
  'load balancer': { path: '/v2.0/lbaas/loadbalancers', plural: 'loadbalancers' },
  listener: { path: '/v2.0/lbaas/listeners', plural: 'listeners' },
  'L7 policy': { path: '/v2.0/lbaas/l7policies', plural: 'l7policies' },
  pool: { path: '/v2.0/lbaas/pools', plural: 'pools' },
  'health monitor': { path: '/v2.0/lbaas/healthmonitors', plural: 'healthmonitors' },
  flavor: { path: '/v2.0/lbaas/flavors', plural: 'flavors' },
  'flavor profile': { path: '/v2.0/lbaas/flavorprofiles', plural: 'flavorprofiles' },
} as const;
export type Kind = keyof typeof KINDS;

interface Named {
  readonly id: string;
  readonly name: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The id of the object with that id or name. Throws CliError when there is none, or several of that name. */
export function resolve(session: Session, kind: Kind, idOrName: string): Promise<string> {
  return find(session, { kind, ...KINDS[kind] }, idOrName);
}

/** As `resolve`, for a member of a pool. */
export function resolveMember(session: Session, poolId: string, idOrName: string): Promise<string> {
  return find(session, { kind: 'member', path: `/v2.0/lbaas/pools/${poolId}/members`, plural: 'members' }, idOrName);
}

async function find(
  session: Session,
  { kind, path, plural }: { readonly kind: string; readonly path: string; readonly plural: string },
  idOrName: string,
): Promise<string> {
  const ask = async (key: 'id' | 'name') => {
    const body = await session.get(`${path}?${key}=${enc(idOrName)}&fields=id&fields=name`);
    return field<readonly Named[]>(body, plural);
  };
  const byId = UUID.test(idOrName) ? await ask('id') : [];
  const found = byId.length > 0 ? byId : await ask('name');
  if (found.length === 0) throw new CliError(`there is no ${kind} '${idOrName}'`);
  if (found.length > 1) {
    const ids = found.map(({ id }) => id).join(', ');
    throw new CliError(`${found.length} ${kind}s are named '${idOrName}': use an id instead, one of ${ids}`);
  }
  return found[0]!.id;
}
