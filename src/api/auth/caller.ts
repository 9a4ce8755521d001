/** Who asks, and what that allows: Octavia's roles. */

/** Whoever sent a request, once that is known. */
export interface Caller {
  readonly user: { readonly id: string; readonly name: string };
  /** The project that it acts in: owner of what it creates. Undefined: in none. */
  readonly project: string | undefined;
  readonly roles: ReadonlySet<string>;
}

const ADMIN = 'admin';
const LB_ADMIN = 'load-balancer_admin';
const MEMBER = 'load-balancer_member';
const OBSERVER = 'load-balancer_observer';
const GLOBAL_OBSERVER = 'load-balancer_global_observer';
const QUOTA_ADMIN = 'load-balancer_quota_admin';

/** The roles that mean something; other names may be given and mean nothing here. */
export const ROLES = [ADMIN, LB_ADMIN, MEMBER, OBSERVER, GLOBAL_OBSERVER, QUOTA_ADMIN] as const;

/** What can be allowed, and the roles that allow it: in the caller's own project, and in all of them. */
const RIGHTS = {
  /** Load balancers and all below them; what is as much as theirs: VMs, balancers. */
  read: { own: [MEMBER, OBSERVER], all: [ADMIN, LB_ADMIN, GLOBAL_OBSERVER] },
  write: { own: [MEMBER], all: [ADMIN, LB_ADMIN] },
  readQuota: { own: [MEMBER, OBSERVER], all: [ADMIN, LB_ADMIN, GLOBAL_OBSERVER, QUOTA_ADMIN] },
  writeQuota: { own: [], all: [ADMIN, LB_ADMIN, QUOTA_ADMIN] },
  /** What shows the site as a whole. */
  survey: { own: [], all: [ADMIN, LB_ADMIN, GLOBAL_OBSERVER] },
  /** Hosts, networks, flavors. */
  administer: { own: [], all: [ADMIN, LB_ADMIN] },
  /** Users, and with them every right. */
  appoint: { own: [], all: [ADMIN] },
} as const satisfies Record<string, { readonly own: readonly string[]; readonly all: readonly string[] }>;
export type Right = keyof typeof RIGHTS;

/** Without authentication, whoever reaches the API is its administrator. */
export const ANYBODY: Caller = { user: { id: '', name: '' }, project: undefined, roles: new Set([ADMIN]) };

/** Whose objects the caller may treat so. */
export function reach({ project, roles }: Caller, right: Right): 'all' | 'own' | 'none' {
  const { own, all } = RIGHTS[right];
  if (all.some((role) => roles.has(role))) return 'all';
  return project !== undefined && project !== '' && own.some((role) => roles.has(role)) ? 'own' : 'none';
}

/** Whether the caller may treat what belongs to this owner so. */
export function mayReach(caller: Caller, right: Right, owner: string): boolean {
  const extent = reach(caller, right);
  return extent === 'all' || (extent === 'own' && caller.project === owner);
}
