/** What it takes that the controller can ask members for their health through a host's switch. Pure. */
import { type Family, familyOf } from '../model/addresses.ts';
import type { Network } from '../model/types.ts';
import { probeMac } from '../model/vip-mac.ts';
import { type Contribution, contribution, rateMeter, type Service, unitOf } from './contribution.ts';
import { networkMeter, portMeter } from './ids.ts';
import type { Variables } from './templates.ts';
import type { ProbeView } from './view.ts';

/** Answers that the controller hears from one VM, or from all members of a network beyond the uplinks, in a second. */
const ANSWERS_PER_SECOND = 1000;

/** A port where members are asked: what else it sends to the controller's MAC is dropped. */
export function probedPortContribution(hostId: string, ofport: number): Contribution {
  const variables = { member_port: ofport, probe_mac: probeMac(hostId) };
  return contribution(
    'port',
    ofport,
    [['probed_port', variables]],
    [],
    [rateMeter(portMeter(ofport), ANSWERS_PER_SECOND)],
  );
}

/** A network in which members beyond the uplinks are asked, or resets are heard of. */
export function probedNetworkContribution(hostId: string, { key }: Network): Contribution {
  const variables = { network: key, probe_mac: probeMac(hostId) };
  return contribution(
    'network',
    key,
    [['probed_network', variables]],
    [],
    [rateMeter(networkMeter(key), ANSWERS_PER_SECOND)],
  );
}

/** A service whose members are asked: a reset from it is a reason to ask at once. */
export function alertContribution({ key }: Network, { address, port }: Service): Contribution {
  return contribution('probe', key, [
    [`alert${familyOf(address)}`, { network: key, address, port, meter: networkMeter(key) }],
  ]);
}

/** A VIP that members behind a port are asked as: so that they find it. */
export function probedAsContribution({ network, ofport, source, sourceMac }: ProbeView): Contribution {
  return contribution('probe', network.key, [
    ['probed_as4', { member_port: ofport!, vip: source, vip_mac: sourceMac }],
  ]);
}

/** The answers of one member. */
export function probeContribution(probe: ProbeView): Contribution {
  const { kind, port } = probe;
  return kind === 'ping'
    ? answerContribution(probe, (far, family) => `probe_ping${far}${family}`)
    : answerContribution(probe, (far, family) => unitOf(`probe_port${far}`, family, kind), { port: port! });
}

/** ICMP errors about datagrams of probes; the same for all ports of an address. */
export function refusalContribution(probe: ProbeView): Contribution {
  return answerContribution(probe, (far, family) => `probe_refused${far}${family}`);
}

function answerContribution(
  probe: ProbeView,
  unit: (far: '' | '_far', family: Family) => string,
  port: Variables = {},
): Contribution {
  const { network, address, ofport, source, sourceMac } = probe;
  const where =
    ofport === undefined
      ? { network: network.key, meter: networkMeter(network.key) }
      : { member_port: ofport, meter: portMeter(ofport) };
  const name = unit(ofport === undefined ? '_far' : '', familyOf(address));
  return contribution('probe', network.key, [[name, { ...where, address, source, source_mac: sourceMac, ...port }]]);
}
