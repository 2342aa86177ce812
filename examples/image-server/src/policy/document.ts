import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { RuleError } from './rule-error.ts'
import type { RuleSource } from './parser.ts'

/** One rule of a policy file, before it is parsed. */
export interface WrittenRule {
  readonly name: string
  /** From 1. */
  readonly line: number
  /** Undefined when it is no rule; `problem` says why. */
  readonly source: RuleSource | undefined
  readonly problem: string | undefined
}

const MAX_CHECKS = 10_000

/**
 * The rules of a policy file in their order. JSON is read as YAML, which contains it: the original does the same
 * (oslo_policy/policy.py, parse_file_contents). Throws RuleError with the line when the file is neither.
 */
export function readRules(text: string): readonly WrittenRule[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { schema: 'core', lineCounter: lines, prettyErrors: false })
  const lineAt = (offset: number | undefined): number => lines.linePos(offset ?? 0).line
  const [error] = document.errors
  if (error) throw new RuleError(`line ${lineAt(error.pos[0])}: expected YAML or JSON: ${error.message}`)
  const root = document.contents
  if (!isMap<Node, Node>(root)) throw new RuleError('expected rules by their names, as in {"default": "role:admin"}')

  let checks = 0
  const count = <T>(value: T): T => {
    if (++checks > MAX_CHECKS) throw new RuleError(`expected at most ${MAX_CHECKS} checks`)
    return value
  }
  /** An alias costs as much as what it stands for, so that a small file cannot make a large policy. */
  const resolved = (node: unknown): unknown => count(isAlias(node) ? node.resolve(document) : node)
  const textOf = (node: unknown): string => {
    const value = resolved(node)
    // a tag alone is an empty text, and an empty rule lets everybody: `rule: !` means the opposite
    if (isScalar(value) && typeof value.value === 'string' && value.tag === undefined) return value.value
    throw new RuleError('expected text in quotes, or a list of lists of it')
  }
  const sourceOf = (node: unknown): RuleSource => {
    const value = resolved(node)
    if (!isSeq(value) || value.tag !== undefined) return textOf(value)
    return value.items.map((item) => {
      const row = resolved(item)
      return isSeq(row) ? row.items.map(textOf) : textOf(row)
    })
  }

  return root.items.map(({ key, value }) => {
    const line = lineAt(key.range?.[0])
    const name = isScalar(key) && typeof key.value === 'string' ? key.value : undefined
    if (name === undefined) throw new RuleError(`line ${line}: expected the name of a rule, as text`)
    try {
      return { name, line, source: sourceOf(value), problem: undefined }
    } catch (failure) {
      if (!(failure instanceof RuleError)) throw failure
      return { name, line, source: undefined, problem: failure.message }
    }
  })
}
