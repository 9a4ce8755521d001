/**
 * - `invalid-options`: the agent was started with something that it cannot work with
 * - `command-failed`: a program of the system refused; the message has what it said
 * - `name-taken`: an object of the system has the name of ours and is not ours
 * - `no-image`: the image that a sandbox is to be made of is not there
 * - `no-switch`: the host's Open vSwitch, or the bridge, is not there
 * - `no-driver`: this agent cannot make sandboxes of the placement
 * - `port-refused`: Open vSwitch cannot use the sandbox's cable
 * - `bad-config`: HAProxy refuses the configuration, and none runs
 * - `not-updated`: HAProxy refuses the new configuration; the one before serves on
 * - `no-answer`: HAProxy ended, or does not answer, or not within its time
 */
export type AgentErrorCode =
  | 'invalid-options'
  | 'command-failed'
  | 'name-taken'
  | 'no-image'
  | 'no-switch'
  | 'no-driver'
  | 'port-refused'
  | 'bad-config'
  | 'not-updated'
  | 'no-answer';

/** A sandbox cannot be as it should. The message names the object at fault and is what operators read as the balancer's error. */
export class AgentError extends Error {
  override readonly name = 'AgentError';

  constructor(
    readonly code: AgentErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** One line for a balancer's error column. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, 500);
}
