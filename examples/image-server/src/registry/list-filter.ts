import { parseIsoTime } from '../v1/values.ts'
import { invalid } from './errors.ts'

/**
 * The values a filter lets through: `in:` lists several, `eq:` and anything else is exactly one. A time is no operator
 * with an operand, and an operator nobody knows is part of the value (glance/common/utils.py, split_filter_op).
 */
export function readFilter(name: string, [text = '']: readonly string[]): readonly string[] {
  if (parseIsoTime(text)) return [text]
  if (text.startsWith('eq:')) return [text.slice(3)]
  return text.startsWith('in:') ? splitList(name, text.slice(3)) : [text]
}

/** Commas inside double quotes are part of a value, `\"` inside them is a quote. Throws 400 for quotes out of place. */
function splitList(name: string, text: string): readonly string[] {
  const values: string[] = []
  let rest = text
  for (;;) {
    const [whole = '', quoted, plain] = ITEM.exec(rest) ?? []
    if (whole === '' && rest.startsWith('"'))
      throw invalid(name, `Invalid filter value ${text}. The quote is not closed.`)
    values.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('\\"', '"'))
    if (whole.length === rest.length) return values
    if (rest[whole.length] !== ',') {
      throw invalid(name, `Invalid filter value ${text}. There is no comma after closing quotation mark.`)
    }
    rest = rest.slice(whole.length + 1)
  }
}

/** A backslash is only special before a quote. */
const ITEM = /^(?:"((?:\\"|[^"])*)"|([^",]*))/
