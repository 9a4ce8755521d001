/** Rules as `ipvsadm -S -n` (ipvsadm-save) prints them and `ipvsadm -R` reads them. */
import { LIMITS } from '../../model/limits.ts';
import type { Transport } from '../../model/transport.ts';
import type { Algorithm } from '../../model/types.ts';
import { CliError } from '../io.ts';
import { type Backend, type Endpoint, parseEndpoint, printEndpoint, type Service } from '../services/service.ts';
import type { Exported, Imported } from './format.ts';

/** Scheduler → algorithm. Those not here have no equal. */
const SCHEDULERS: ReadonlyMap<string, Algorithm> = new Map([
  ['rr', 'ROUND_ROBIN'],
  ['wrr', 'ROUND_ROBIN'],
  ['lc', 'LEAST_CONNECTIONS'],
  ['wlc', 'LEAST_CONNECTIONS'],
  ['sed', 'LEAST_CONNECTIONS'],
  ['nq', 'LEAST_CONNECTIONS'],
  ['sh', 'SOURCE_IP'],
  ['mh', 'SOURCE_IP'],
]);
/** Those that know no weights but 0. */
const WEIGHTLESS = new Set(['rr', 'lc']);
const DEFAULT_SCHEDULER = 'wlc';
const PRINTED: Readonly<Record<Algorithm, string>> = {
  ROUND_ROBIN: 'wrr',
  LEAST_CONNECTIONS: 'wlc',
  SOURCE_IP: 'sh',
  SOURCE_IP_PORT: 'sh -b sh-port',
};
/** Seconds: ipvsadm's own default. */
const PERSISTENT = '-p 300';

/** Long name → short; the transport's options stay long. */
const LONG: Readonly<Record<string, string>> = {
  ...{ '--add-service': '-A', '--add-server': '-a', '--tcp-service': '-t', '--udp-service': '-u' },
  ...{ '--sctp-service': 'sctp', '--fwmark-service': '-f', '--scheduler': '-s', '--persistent': '-p' },
  ...{ '--netmask': '-M', '--real-server': '-r', '--gatewaying': '-g', '--ipip': '-i', '--masquerading': '-m' },
  ...{ '--weight': '-w', '--u-threshold': '-x', '--l-threshold': '-y', '--sched-flags': '-b', '--ops': '-o' },
  ...{ '--ipv6': '-6', '--numeric': '-n' },
};
const FLAGS = new Set(['-A', '-a', '-g', '-i', '-m', '-o', '-6', '-n']);
const TRANSPORT_OPTION: Readonly<Record<string, Transport>> = { '-t': 'tcp', '-u': 'udp', sctp: 'sctp' };
/** Options that hostlb does not keep, in words. */
const LOST: Readonly<Record<string, string>> = {
  '-M': 'sources persist one by one, not by netmask',
  '--pe': 'there are no persistence engines',
  '-x': 'members have no thresholds',
  '-y': 'members have no thresholds',
  '-o': 'packets of one UDP flow go to one member',
};

type Options = ReadonlyMap<string, string>;

/** Throws CliError that names the line which is no rule. */
export function parseIpvsadm(text: string): Imported {
  const services = new Map<string, Service>();
  const notes = new Set<string>();
  const refused: string[] = [];
  const unserved = new Set<string>();
  const heedless = new Set<string>();
  for (const [i, line] of text.split('\n').entries()) {
    const words = line
      .trim()
      .replace(/^ipvsadm\s+/, '')
      .split(/\s+/);
    if (words[0] === '' || words[0]!.startsWith('#')) continue;
    const at = `line ${i + 1}`;
    const options = readOptions(words, at);
    for (const [option, why] of Object.entries(LOST)) if (options.has(option)) notes.add(`${option}: ${why}`);
    const key = serviceKey(options);
    const service = services.get(key);
    if (options.has('-A')) {
      const read = readService(options);
      if (typeof read === 'string') {
        refused.push(`${at}: ${read}`);
        unserved.add(key);
      } else services.set(key, read);
      if (WEIGHTLESS.has(schedulerOf(options))) heedless.add(key);
    } else if (service !== undefined) {
      const real = readServer(options, service, at);
      const weight = heedless.has(key) ? Math.min(real.weight, 1) : real.weight;
      services.set(key, { ...service, backends: [...service.backends, { ...real, weight }] });
    } else if (!unserved.has(key)) throw new CliError(`${at}: a server of a service that no line before adds`);
  }
  return { services: [...services.values()].map(fitWeights(notes)), notes: [...notes], refused };
}

function readOptions(words: readonly string[], at: string): Options {
  const options = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const option = LONG[word] ?? word;
    const next = words[i + 1];
    if (!/^(-|sctp$)/.test(option)) throw new CliError(`${at}: '${word}' is not an option of ipvsadm`);
    if (FLAGS.has(option) || (option === '-p' && !/^\d+$/.test(next ?? ''))) options.set(option, '');
    else if (next === undefined) throw new CliError(`${at}: '${word}' lacks its value`);
    else {
      options.set(option, next);
      i++;
    }
  }
  if (options.has('-A') === options.has('-a'))
    throw new CliError(`${at}: neither -A nor -a: is it from ipvsadm -S -n?`);
  return options;
}

function serviceKey(options: Options): string {
  return ['-t', '-u', 'sctp', '-f'].map((option) => `${option} ${options.get(option) ?? ''}`).join(' ');
}

/** The service, or why hostlb cannot serve it. */
function readService(options: Options): Service | string {
  const found = Object.entries(TRANSPORT_OPTION).find(([option]) => options.has(option));
  if (found === undefined)
    return options.has('-f') ? 'a service by firewall mark has no address' : 'it names no service';
  const [option, transport] = found;
  const vip = parseEndpoint(options.get(option)!);
  if (vip === undefined)
    return `'${options.get(option)}' is not ADDRESS:PORT: save with -n; port 0 (any) is not served`;
  const algorithm = SCHEDULERS.get(schedulerOf(options));
  if (algorithm === undefined) return `scheduler ${schedulerOf(options)} has no equal here`;
  const byPort = /\b(sh|mh)-port\b/.test(options.get('-b') ?? '');
  return {
    ...{ name: vip.address, vip, transport, backends: [], sticky: options.has('-p') },
    algorithm: byPort ? 'SOURCE_IP_PORT' : algorithm,
  };
}

const schedulerOf = (options: Options): string => options.get('-s') ?? DEFAULT_SCHEDULER;

function readServer(options: Options, { vip }: Service, at: string): Backend {
  const text = options.get('-r') ?? '';
  const real: Endpoint | undefined = parseEndpoint(text) ?? parseEndpoint(`${text.replace(/:0$/, '')}:${vip.port}`);
  const weight = Number(options.get('-w') ?? 1);
  if (real === undefined) throw new CliError(`${at}: '${text}' is not ADDRESS:PORT: save with -n`);
  if (!Number.isInteger(weight) || weight < 0) throw new CliError(`${at}: '${options.get('-w')}' is not a weight`);
  return { ...real, weight };
}

/** ipvsadm's weights go to 65535. */
const fitWeights =
  (notes: Set<string>) =>
  (service: Service): Service => {
    const heaviest = Math.max(...service.backends.map(({ weight }) => weight));
    if (heaviest <= LIMITS.maxWeight) return service;
    notes.add(`-w: weights go to ${LIMITS.maxWeight} here, greater ones are scaled down with those beside them`);
    const scale = LIMITS.maxWeight / heaviest;
    const scaled = (weight: number): number => (weight === 0 ? 0 : Math.max(1, Math.round(weight * scale)));
    return { ...service, backends: service.backends.map((one) => ({ ...one, weight: scaled(one.weight) })) };
  };

export function printIpvsadm(services: readonly Service[]): Exported {
  const lines = services.flatMap(({ vip, transport, algorithm, sticky, backends }) => {
    const option = transport === 'sctp' ? '--sctp-service' : `-${transport[0]}`;
    const service = `${option} ${printEndpoint(vip)}`;
    return [
      `-A ${service} -s ${PRINTED[algorithm]}${sticky ? ` ${PERSISTENT}` : ''}`,
      ...backends.map((real) => `-a ${service} -r ${printEndpoint(real)} -m -w ${real.weight}`),
    ];
  });
  const twice = duplicates(services.map(({ vip, transport }) => `${transport} ${printEndpoint(vip)}`));
  const notes = twice.map((place) => `${place} is there more than once: the same VIP in several networks`);
  return { text: lines.map((line) => `${line}\n`).join(''), notes };
}

function duplicates(places: readonly string[]): readonly string[] {
  return [...new Set(places.filter((place, i) => places.indexOf(place) !== i))];
}
