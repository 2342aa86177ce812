/** A section of an INI file. */
export interface Section {
  /** What stands between the first `[` and the last `]` of its line, blanks included. */
  readonly name: string
  /** From 1. */
  readonly line: number
  readonly values: ReadonlyMap<string, Entry>
}

export interface Entry {
  readonly value: string
  readonly line: number
}

/** Why a text is no INI file; the message begins with the line. */
export class IniError extends Error {
  override readonly name = 'IniError'
}

/**
 * The sections of an INI file in their order: `key = value` or `key: value`, keys in any case, `#` and `;` before a
 * comment on a line of its own. As in Python's configparser a section's name may hold `]` and an indented line goes on
 * with the value before it; unlike there nothing is said twice, and `%` and `[DEFAULT]` have no meaning of their own.
 */
export function readIni(text: string): readonly Section[] {
  const sections = new Map<string, { name: string; line: number; values: Map<string, Entry> }>()
  let section: Map<string, Entry> | undefined
  let last: string | undefined
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = index + 1
    const content = raw.trim()
    if (content === '' || /^[#;]/.test(content)) continue
    const before = section !== undefined && last !== undefined ? section.get(last) : undefined
    if (/^[ \t]/.test(raw) && section && last !== undefined && before) {
      section.set(last, { ...before, value: `${before.value}\n${content}`.trim() })
      continue
    }
    const name = /^\[(.+)\]$/.exec(content)?.[1]
    if (name !== undefined) {
      const twice = sections.get(name)
      if (twice) throw new IniError(`line ${line}: [${name}] is there since line ${twice.line}`)
      section = new Map()
      sections.set(name, { name, line, values: section })
      last = undefined
      continue
    }
    last = addEntry(section, content, line)
  }
  return [...sections.values()]
}

function addEntry(section: Map<string, Entry> | undefined, content: string, line: number): string {
  const at = content.search(/[=:]/)
  if (at < 1) throw new IniError(`line ${line}: expected [pattern] or key = value`)
  const key = content.slice(0, at).trim().toLowerCase()
  if (!section) throw new IniError(`line ${line}: ${key}: expected a [pattern] in front of the first key`)
  const twice = section.get(key)
  if (twice) throw new IniError(`line ${line}: ${key}: is there since line ${twice.line}`)
  section.set(key, { value: content.slice(at + 1).trim(), line })
  return key
}
