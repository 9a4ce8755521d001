/** What is wrong with a request about the model; maps one to one to an API answer. */
export type ModelErrorCode = 'invalid' | 'not-found' | 'conflict' | 'over-quota' | 'unsupported';

/** A request that the model refuses. The message names the object and the value at fault, in Octavia's words where it has them. */
export class ModelError extends Error {
  override readonly name = 'ModelError';

  constructor(
    readonly code: ModelErrorCode,
    message: string,
  ) {
    super(message);
  }
}
