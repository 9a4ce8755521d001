/**
 * A libvirtd of a host of a lab, as the agent has one: `own-libvirt.ts DIR create FILE` and `… destroy NAME`, run in the
 * host's network. Its `ovs-vsctl` is told by OVS_RUNDIR which Open vSwitch it is to use.
 */
import { createOwnLibvirt } from '../../src/agent/drivers/vm-libvirtd.ts';

const [dir, verb, what] = process.argv.slice(2) as [string, 'create' | 'destroy', string];
await createOwnLibvirt(dir)[verb](what);
