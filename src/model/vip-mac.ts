/**
 * MAC addresses that are computed, not stored: the same inputs give the same MAC on every host and after every
 * restart. All are locally administered unicast (bit 1 of the first octet set, bit 0 clear). The first octet says
 * what the MAC is for, so that kinds never meet; 40 bits of a SHA-256 follow.
 */
import { createHash } from 'node:crypto';
import { addressFromNumber, parseCidr } from './addresses.ts';
import { ModelError } from './errors.ts';

/** First octet by purpose. Chosen beside 02 (containers), 52 (QEMU) and fe (taps), which VMs' own ports use. */
export const MAC_PREFIX = { vip: 0x06, balancer: 0x0a, sandbox: 0x0e, probe: 0x12, virtualMachine: 0x16 } as const;

const MAC_TEXT = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** The MAC that clients of the load balancer see, on every host. Text `06:…`. */
export function vipMac(loadBalancerId: string): string {
  return derivedMac(MAC_PREFIX.vip, loadBalancerId);
}

/** The MAC that a host's balancers use toward members in one network. Text `0a:…`. */
export function balancerMac(hostId: string, networkId: string): string {
  return derivedMac(MAC_PREFIX.balancer, hostId, networkId);
}

/** The MAC of the interface of one balancer's sandbox. Text `0e:…`. */
export function sandboxMac(loadBalancerId: string, hostId: string): string {
  return derivedMac(MAC_PREFIX.sandbox, loadBalancerId, hostId);
}

/** The MAC from which the controller looks members up on a host. Text `12:…`. */
export function probeMac(hostId: string): string {
  return derivedMac(MAC_PREFIX.probe, hostId);
}

/** The MAC of a virtual machine that an agent runs. Text `16:…`. */
export function virtualMachineMac(virtualMachineId: string): string {
  return derivedMac(MAC_PREFIX.virtualMachine, virtualMachineId);
}

/**
 * The address of `mac` in a /64: modified EUI-64 interface identifier (RFC 4291, Appendix A).
 * Throws ModelError('invalid') when the subnet is not an IPv6 /64 or the MAC is none.
 */
export function ipv6FromMac(subnet64: string, mac: string): string {
  const subnet = parseCidr(subnet64);
  if (subnet.family !== 6 || subnet.prefixLength !== 64) {
    throw new ModelError('invalid', `an IPv6 address from a MAC needs a /64, not ${subnet64}`);
  }
  if (!MAC_TEXT.test(mac)) throw new ModelError('invalid', `'${mac}' is not a MAC`);
  const value = BigInt(`0x${mac.replaceAll(':', '')}`);
  const interfaceId = ((value >> 24n) << 40n) | (0xfffen << 24n) | (value & 0xffffffn);
  const universalBit = 1n << 57n;
  return addressFromNumber(subnet.first | (interfaceId ^ universalBit), 6);
}

function derivedMac(prefix: number, ...ids: readonly string[]): string {
  const hash = createHash('sha256').update(ids.join('\0')).digest();
  return [prefix, ...hash.subarray(0, 5)].map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}
