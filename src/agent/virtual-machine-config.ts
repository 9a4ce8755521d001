/** HAProxy as the web server of a virtual machine: it answers with the machine's name, so that a client sees who served it. */
import { createHash } from 'node:crypto';
import { familyOf } from '../model/addresses.ts';
import type { VirtualMachine } from '../model/types.ts';
import type { ProxyConfig, ProxySurroundings } from './haproxy-config.ts';

/** Two descriptors per connection would be plenty; sockets and poller want some, too. */
const SPARE_FILES = 200;
const MAX_CONNECTIONS = 8192;

export function renderServer(
  { name, addresses }: Pick<VirtualMachine, 'name' | 'addresses'>,
  port: number,
  { statsSocket, chroot, maxFiles }: Pick<ProxySurroundings, 'statsSocket' | 'chroot' | 'maxFiles'>,
): ProxyConfig {
  const maxConnections = Math.max(1, Math.min(MAX_CONNECTIONS, maxFiles - SPARE_FILES));
  const render = (version: string) => `global
  description ${version}
  nbthread 1
  maxconn ${maxConnections}
  chroot ${chroot}
  uid 65534
  gid 65534
  stats socket ${statsSocket} mode 600 level admin expose-fd listeners

defaults
  mode http
  # Clients may keep a connection as long as they like: tests watch connections that go on.
  timeout client 24h

frontend name
${addresses.map((address) => `  bind ${endpoint(address, port)}\n`).join('')}  http-request return status 200 content-type text/plain string ${name}\\n
`;
  const version = createHash('sha256').update(render('')).digest('hex').slice(0, 16);
  return { text: render(version), version, servers: [] };
}

const endpoint = (address: string, port: number): string =>
  familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
