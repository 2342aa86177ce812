/** Why the server cannot start, in words for the operator: shown as one line, without a stack. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure'
}

export function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}
