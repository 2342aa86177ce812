import { CLASSES } from './pattern-set.ts'

/** A place in a text, as far as a pattern can tell it from others. */
export interface Spot {
  /** Code point of the character after it, undefined at the end. */
  readonly code: number | undefined
  /** Whether that character is the last one. */
  readonly isLast: boolean
  readonly isStart: boolean
  /** Whether the character before it belongs to a word. */
  readonly afterWord: boolean
}

/** `at` counts UTF-16 units and is not in the middle of a pair. */
export function spotAt(text: string, at: number): Spot {
  const code = text.codePointAt(at)
  const width = code !== undefined && code > 0xff_ff ? 2 : 1
  return { code, isLast: at + width === text.length, isStart: at === 0, afterWord: isWord(text.charCodeAt(at - 1)) }
}

export function isWord(code: number | undefined): boolean {
  return code !== undefined && CLASSES['w']?.(code) === true
}
