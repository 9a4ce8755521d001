/** From what HAProxy runs to what it should run, without touching anybody's connections. */
import { DRAIN_SECONDS, type ProxyConfig } from './haproxy-config.ts';
import type { Server } from './haproxy-servers.ts';
import type { RunningServer } from './haproxy-state.ts';

export interface Running {
  readonly version: string;
  readonly servers: readonly RunningServer[];
}

/** Only a new worker can be so. `reason` is for logs. */
export interface Reload {
  readonly kind: 'reload';
  readonly reason: string;
}

/** Runtime API commands, to be given in this order. None: all is as it should be, and nobody is on the way out. */
export interface Commands {
  readonly kind: 'commands';
  readonly commands: readonly string[];
  /** Servers that these commands leave down until a probe succeeds. */
  readonly unproven: readonly string[];
}

/**
 * What makes of a running HAProxy what is wanted. The truth is what runs: the result does not depend on how it came about,
 * and what is interrupted half-way is finished by the next call.
 *
 * A member that is removed, or disabled, gets no new connections at once; its open ones go on. A removed one is forgotten
 * with its last connection, and after DRAIN_SECONDS its connections are cut.
 */
export function planChange(running: Running, wanted: ProxyConfig): Reload | Commands {
  if (running.version !== wanted.version) {
    return { kind: 'reload', reason: 'more than its servers changes' };
  }
  const actual = new Map(running.servers.map((server) => [server.name, server]));
  const changed = wanted.servers.find((server) => {
    const now = actual.get(server.name);
    return now !== undefined && !isSameKind(now, server);
  });
  if (changed !== undefined) return { kind: 'reload', reason: `server ${changed.name} becomes another one` };

  const names = new Set(wanted.servers.map(({ name }) => name));
  const gone = running.servers.filter(({ name }) => !names.has(name));
  const added = wanted.servers.filter(({ name }) => !actual.has(name));
  const started = wanted.servers.filter(({ name, isEnabled }) => isEnabled && actual.get(name)?.isEnabled !== true);
  // What comes, comes first, so that there is always somebody to take a connection.
  const commands = [
    ...added.map(({ name, words }) => `add server ${name} ${words}`),
    ...cookieCommands(added),
    ...wanted.servers.flatMap(({ name, weight }) => {
      const now = actual.get(name);
      return now === undefined || now.weight === weight ? [] : [`set server ${name} weight ${weight}`];
    }),
    ...started.flatMap(startCommands),
    ...wanted.servers.flatMap(({ name, isEnabled }) =>
      !isEnabled && actual.get(name)?.isInMaintenance === false ? [`set server ${name} state maint`] : [],
    ),
    ...gone.flatMap(removeCommands),
  ];
  const unproven = started.filter(({ isChecked }) => isChecked).map(({ name }) => name);
  return { kind: 'commands', commands, unproven };
}

/** Whether all is equal that only a reload can change. Addresses of members are never changed. */
function isSameKind(now: RunningServer, server: Server): boolean {
  return (
    now.address === server.address &&
    now.port === server.port &&
    now.isBackup === server.isBackup &&
    now.checkAddress === server.checkAddress &&
    now.checkPort === server.checkPort
  );
}

/**
 * HAProxy takes a server out of maintenance as one that is well, with the next probe to prove otherwise. So one with a
 * health monitor passes through `drain`, where it gets nothing and can be declared to be down.
 */
function startCommands({ name, isChecked }: Server): string[] {
  if (!isChecked) return [`set server ${name} state ready`];
  return [
    `enable health ${name}`,
    `set server ${name} state drain`,
    `set server ${name} health down`,
    `set server ${name} state ready`,
  ];
}

function removeCommands({ name, isInMaintenance, secondsInState }: RunningServer): string[] {
  return [
    ...(isInMaintenance ? [] : [`set server ${name} state maint`]),
    ...(isInMaintenance && secondsInState >= DRAIN_SECONDS ? [`shutdown sessions server ${name}`] : []),
    `del server ${name}`,
  ];
}

/** HAProxy 2.6 makes cookies of servers at its start, and when it is given the key that it has already. */
function cookieCommands(added: readonly Server[]): string[] {
  const commands = added.flatMap(({ name, cookieKey }) =>
    cookieKey === undefined ? [] : [`set dynamic-cookie-key backend ${name.slice(0, name.indexOf('/'))} ${cookieKey}`],
  );
  return [...new Set(commands)];
}
