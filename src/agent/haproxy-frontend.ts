/** Listeners as frontends of HAProxy. */
import type { InsertHeader } from '../model/types.ts';
import { duration, type Service } from './haproxy-backend.ts';
import { policyLines } from './haproxy-l7.ts';
import { endpoint } from './haproxy-servers.ts';

/** A line of the file has at most 64 words. */
const CIDRS_PER_LINE = 16;

const HEADERS: Readonly<Record<InsertHeader, string>> = {
  'X-Forwarded-For': 'option forwardfor',
  'X-Forwarded-Port': 'http-request set-header X-Forwarded-Port %[dst_port]',
  'X-Forwarded-Proto': 'http-request set-header X-Forwarded-Proto http',
};

/** The section of a listener. At its connection limit it accepts nobody: who connects waits until another one ends. */
export function frontendLines({ listener, mode, backend, policies }: Service, vips: readonly string[]): string[] {
  const { protocolPort, connectionLimit, timeouts, allowedCidrs, insertHeaders } = listener;
  return [
    ...vips.map((vip) => `bind ${endpoint(vip, protocolPort)}`),
    `mode ${mode}`,
    ...(connectionLimit > 0 ? [`maxconn ${connectionLimit}`] : []),
    // A worker that a reload replaces answers once more on connections that wait for a request, rather than cut them off.
    ...(mode === 'http' ? ['option idle-close-on-response'] : []),
    `timeout client ${duration(timeouts.clientDataMs)}`,
    ...(timeouts.tcpInspectMs > 0 ? [`tcp-request inspect-delay ${timeouts.tcpInspectMs}ms`] : []),
    ...cidrLines(allowedCidrs),
    ...insertHeaders.map((header) => HEADERS[header]),
    ...policyLines(policies),
    ...(backend === undefined ? [] : [`default_backend ${backend.name}`]),
  ];
}

/** Others are reset as soon as they connect. */
function cidrLines(cidrs: readonly string[]): string[] {
  if (cidrs.length === 0) return [];
  const chunks = Array.from({ length: Math.ceil(cidrs.length / CIDRS_PER_LINE) }, (_, i) =>
    cidrs.slice(i * CIDRS_PER_LINE, (i + 1) * CIDRS_PER_LINE),
  );
  return [
    ...chunks.map((chunk) => `acl allowed src ${chunk.join(' ')}`),
    'tcp-request connection reject unless allowed',
  ];
}
