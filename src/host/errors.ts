export type HostErrorCode = 'no-bridge' | 'too-old' | 'protocol-disabled' | 'not-connected' | 'kept-by-others';

/** Why a host cannot be kept at the moment. The message names the host's object at fault and says what to do. */
export class HostError extends Error {
  override readonly name = 'HostError';

  constructor(
    readonly code: HostErrorCode,
    message: string,
  ) {
    super(message);
  }
}
