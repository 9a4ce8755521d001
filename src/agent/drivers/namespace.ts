/** Sandboxes that are network namespaces: HAProxy is a process of this machine in them. */
import type { Logger } from 'pino';
import type { AgentError } from '../errors.ts';
import type { Naming, SandboxNames } from '../names.ts';
import { inside, run, startDetached } from '../process.ts';
import type { SwitchPorts } from '../switch-ports.ts';
import { type Cgroups, createCgroups, type Limits } from './cgroup.ts';
import type { SandboxDriver } from './driver.ts';
import { createLocalDriver, type SandboxLauncher } from './local-driver.ts';
import { refusal } from './local-runtime.ts';
import { CHECK } from './runtime.ts';

export const HAPROXY = '/usr/sbin/haproxy';
/** Starting programs is what it takes: more at once only wait for each other. */
const PARALLELISM = 8;
/** Joins the groups whose files come first, and becomes the program that follows. */
const JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 1; shift; done; shift; exec "$@"';

export interface NamespaceDriverInit {
  readonly naming: Naming;
  readonly ports: SwitchPorts;
  readonly log: Pick<Logger, 'warn'>;
  readonly cgroups?: Cgroups;
}

export function createNamespaceDriver({
  naming,
  ports,
  log,
  cgroups = createCgroups(),
}: NamespaceDriverInit): SandboxDriver {
  let isWarned = false;
  const unlimited = (error: Error): readonly string[] => {
    if (!isWarned)
      log.warn({ error: error.message }, 'no cgroups here: balancers in namespaces have no CPU and memory limits');
    isWarned = true;
    return [];
  };
  return createLocalDriver({
    placement: 'namespace',
    naming,
    ports,
    parallelism: PARALLELISM,
    createLauncher: (names) => createLauncher(names, { cgroups, unlimited }),
    leftovers: async () => cgroups.names().flatMap((name) => naming.keyOf(name) ?? []),
  });
}

interface Limiting {
  readonly cgroups: Cgroups;
  readonly unlimited: (error: Error) => readonly string[];
}

function createLauncher(names: SandboxNames, { cgroups, unlimited }: Limiting): SandboxLauncher {
  let limits: Limits = {};
  return {
    prepare({ flavor }) {
      limits = flavor;
    },
    idleConfig: undefined,
    async start(args, log) {
      const groups = await cgroups.limit(names.link, limits).catch(unlimited);
      const [file, words] = inside(names.name, HAPROXY, args);
      const child = startDetached('sh', ['-c', JOIN, 'sh', ...groups, '--', file, ...words], { log });
      return child.pid!;
    },
    async check(file) {
      await run(HAPROXY, [...CHECK, file]).catch((error: AgentError) => {
        throw refusal(error);
      });
    },
    clean: () => cgroups.remove(names.link),
  };
}
