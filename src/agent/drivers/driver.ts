/**
 * Where sandboxes can be made: one driver per placement, all under the same tests (test/agent/compliance).
 *
 *   Agent ── one Sandbox per key (../sandbox.ts: what is next, when again) ── SandboxParts of the placement's driver
 *
 * A driver remembers nothing that it could not find again in the system: an agent that is killed at any moment is followed
 * by one that finishes or removes what it left.
 */
import type { Placement } from '../../model/types.ts';
import type { ProxySurroundings } from '../haproxy-config.ts';
import type { Naming, SandboxNames } from '../names.ts';
import type { SandboxPlan } from '../plan.ts';

export type SandboxPlacement = Exclude<Placement, 'switch'>;

/** What a sandbox alone decides. */
export type SandboxSurroundings = Pick<ProxySurroundings, 'statsSocket' | 'stateFile' | 'chroot' | 'maxFiles'>;

/**
 * The steps of one sandbox. Each may be repeated, finds what is there already, whoever made it, and undoing what is not
 * there is no error; `plug` and `configure` follow `create` and run at the same time, as do `stop` and `unplug` before
 * `destroy`. What has a name of ours but is somebody else's is not touched. All throw AgentError.
 */
export interface SandboxParts {
  /** Makes the sandbox with its interface. With `isDoubted`, looks whether all is still there even where it once was made. */
  create(plan: SandboxPlan, options: { readonly isDoubted: boolean }): Promise<void>;
  /** Plugs it into the bridge. Resolves when the switch forwards. */
  plug(plan: SandboxPlan): Promise<void>;
  /**
   * Makes HAProxy run with the plan's configuration, or none if it has none; one that an earlier agent left is adopted.
   * Throws AgentError('not-updated') when HAProxy refuses the configuration and the one before serves on.
   */
  configure(plan: SandboxPlan): Promise<void>;
  /**
   * What HAProxy answers to ASK_ALL of ../haproxy-stats.ts; undefined when none runs or it is busy. Asking is also the proof
   * of life: an HAProxy that does not answer is ended and reported as lost.
   */
  observe(): Promise<string | undefined>;
  /** A quick look at whether all is there, without any program or question; no promise about what cannot be seen so. */
  isSound(plan: SandboxPlan): boolean;
  /** Ends what runs in it: kindly, and then hard. */
  stop(): Promise<void>;
  /** Takes its port out of the switch. */
  unplug(): Promise<void>;
  /** Removes all the rest, and what `existing` finds it by last. */
  destroy(): Promise<void>;
  /** Lets go of everything, which goes on without us. */
  release(): void;
}

export interface SandboxDriver {
  readonly placement: SandboxPlacement;
  /** Names that no other driver of this host gives. */
  readonly naming: Naming;
  /** How many sandboxes are made or changed at the same time. */
  readonly parallelism: number;
  /** Makes what all sandboxes share. Called once, before anything else. */
  prepare(): Promise<void>;
  /** What HAProxy in this sandbox finds around it: paths are as HAProxy sees them. */
  surroundings(names: SandboxNames): SandboxSurroundings;
  /** `lost` is called when something in it ended by itself. */
  sandbox(names: SandboxNames, lost: (reason: string) => void): SandboxParts;
  /** Keys of the sandboxes of which anything is left on this host, apart from ports of the switch. */
  existing(): Promise<ReadonlySet<number>>;
  /** Keys of the sandboxes that look whole from outside; asked every few seconds, so it must be cheap. */
  intact(): Promise<ReadonlySet<number>>;
}
