/** Whether a character, by its code point, belongs to a set. */
export type Has = (code: number) => boolean

export const only =
  (code: number): Has =>
  (other) =>
    other === code

export const range =
  (from: number, to: number): Has =>
  (code) =>
    code >= from && code <= to

export const anyOf =
  (sets: readonly Has[]): Has =>
  (code) =>
    sets.some((has) => has(code))

export const negated =
  (has: Has): Has =>
  (code) =>
    !has(code)

/** The set with its letters in both cases. */
export const foldCase =
  (has: Has): Has =>
  (code) => {
    const character = String.fromCodePoint(code)
    return (
      has(code) || has(character.toLowerCase().codePointAt(0) ?? 0) || has(character.toUpperCase().codePointAt(0) ?? 0)
    )
  }

const digit = range(0x30, 0x39)
const word = anyOf([digit, range(0x41, 0x5a), range(0x61, 0x7a), only(0x5f)])
const space = anyOf([range(0x09, 0x0d), only(0x20)])

/** Classes of characters by the letter behind the backslash, in ASCII. */
export const CLASSES: Readonly<Record<string, Has>> = {
  d: digit,
  D: negated(digit),
  w: word,
  W: negated(word),
  s: space,
  S: negated(space),
}

/** Characters that are written as a letter behind a backslash. */
export const CONTROLS: Readonly<Record<string, number>> = { a: 0x07, t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d }
