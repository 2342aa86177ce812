import { RuleError } from './rule-error.ts'

/** Text with `%(name)s` in it: texts at even places, names of the target at odd ones. */
export type Template = readonly string[]

/** What an action is about. Null is set, to nothing. */
export type Target = ReadonlyMap<string, string | number | boolean | null>

export const NO_TARGET: Target = new Map()

const PLACEHOLDER = /%\(([^()]+)\)s/g

/** Throws RuleError for anything but `%(name)s` and `%%` that begins with a percent sign. */
export function parseTemplate(text: string): Template {
  const parts = text.split(PLACEHOLDER)
  return parts.map((part, index) => (index % 2 === 1 ? part : literal(part)))
}

/** The text with values in place of the names, as Python writes them; undefined when the target lacks one. */
export function fill(
  template: Template,
  target: Target,
): { readonly text: string; readonly unset: boolean } | undefined {
  let text = ''
  let unset = false
  for (const [index, part] of template.entries()) {
    const value = index % 2 === 1 ? target.get(part) : part
    if (value === undefined) return undefined
    if (value === null) unset = true
    text += index % 2 === 1 ? pythonText(value) : part
  }
  return { text, unset }
}

function pythonText(value: string | number | boolean | null): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  return String(value)
}

function literal(text: string): string {
  const pieces = text.split('%%')
  if (pieces.some((piece) => piece.includes('%'))) {
    throw new RuleError(`expected %(name)s, or %% for a percent sign, got ${JSON.stringify(text)}`)
  }
  if (/[()]/.test(text)) throw new RuleError(`expected blanks around the parentheses in ${JSON.stringify(text)}`)
  return pieces.join('%')
}
