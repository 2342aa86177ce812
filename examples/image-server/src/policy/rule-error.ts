/** What is wrong with a rule, in words for its author. Whoever knows where the rule stands adds that. */
export class RuleError extends Error {
  override readonly name = 'RuleError'
  /** The rule, where the one that is being read is not meant. */
  readonly rule: string | undefined

  constructor(message: string, rule?: string) {
    super(message)
    this.rule = rule
  }
}
