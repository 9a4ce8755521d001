/** Nothing can be told: one line that says why and what to do. */
export class ExplainError extends Error {
  override readonly name = 'ExplainError';
}
