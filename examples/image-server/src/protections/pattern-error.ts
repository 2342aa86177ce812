/** What is wrong with a regular expression, in words for its author. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
}
