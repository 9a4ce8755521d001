/** libvirt, through its command line: no native package, and the same over every kind of connection. */
import { AgentError } from '../errors.ts';
import { run } from '../process.ts';

/** The first machine after an update of QEMU waits until libvirt has found out what QEMU can do. */
const COMMAND_TIMEOUT_MS = 30_000;

/** Machines of libvirt that are not defined in it: one that ends leaves nothing. All throw AgentError('command-failed'). */
export interface Libvirt {
  /** Starts the machine that the file describes. */
  create(file: string): Promise<void>;
  /** Ends a machine at once; one that does not run is no error. */
  destroy(name: string): Promise<void>;
  /** What libvirt knows of a running machine; undefined when there is none of the name. */
  describe(name: string): Promise<string | undefined>;
  /** Names of all machines that run. */
  names(): Promise<string[]>;
}

export interface LibvirtInit {
  /** A connection URI, as `virsh --connect` takes it. */
  readonly uri: string;
  /** Makes that somebody answers there; resolves to whether nobody did. Must be cheap when all is well. */
  readonly ready?: () => Promise<boolean>;
}

export function createLibvirt({ uri, ready = async () => false }: LibvirtInit): Libvirt {
  const virsh = async (args: readonly string[]): Promise<string> => {
    const ask = () => run('virsh', ['--quiet', '--connect', uri, ...args], '', COMMAND_TIMEOUT_MS);
    await ready();
    return ask().catch(async (cause: Error) => {
      // It may have ended at that very moment.
      if (await ready()) return ask();
      const said = cause.message.replace(/^virsh --quiet: /, '').replaceAll(/error: /g, '');
      throw new AgentError('command-failed', `libvirt at ${uri}, ${args[0]}: ${said}`, { cause });
    });
  };
  /** Some complain of an absent machine, and their words depend on the language. */
  const unlessAbsent = async <T>(name: string, work: () => Promise<T>): Promise<T | undefined> => {
    if (!(await names()).includes(name)) return undefined;
    try {
      return await work();
    } catch (error) {
      if (!(await names()).includes(name)) return undefined;
      throw error;
    }
  };
  const names = async (): Promise<string[]> => {
    const lines = (await virsh(['list', '--name'])).split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  };
  return {
    create: async (file) => void (await virsh(['create', file])),
    destroy: async (name) => void (await unlessAbsent(name, () => virsh(['destroy', name]))),
    describe: (name) => unlessAbsent(name, () => virsh(['dumpxml', name])),
    names,
  };
}
