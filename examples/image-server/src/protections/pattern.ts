import { parsePattern, type PatternNode } from './pattern-parser.ts'
import { PatternError } from './pattern-error.ts'
import { type Spot, spotAt } from './spot.ts'

/** Whether a pattern is found anywhere in a text. */
export type Search = (text: string) => boolean

/** Steps of a pattern after its repetitions are written out: what bounds the time of a search. */
const MAX_STEPS = 1_000

type Step =
  | { readonly op: 'set'; readonly has: (code: number) => boolean }
  | { readonly op: 'at'; readonly holds: (spot: Spot) => boolean }
  | Fork
  | { readonly op: 'match' }

interface Fork {
  readonly op: 'fork'
  readonly to: number[]
}

/**
 * Compiles a regular expression as Python writes them. All its alternatives run side by side (Thompson, "Regular
 * expression search algorithm", 1968): at most steps × characters, whatever the pattern. The engine of JavaScript goes
 * back to try again, and a pattern that nobody saw through would let a name block the server. Throws PatternError.
 */
export function compilePattern(pattern: string): Search {
  const program = compile(parsePattern(pattern))
  let states = newStates()
  let known = 0
  return (text) => {
    let state = states.start
    for (let at = 0; at <= text.length; ) {
      const spot = spotAt(text, at)
      const key = keyOf(spot)
      let next = state.next.get(key)
      if (next === undefined) {
        if (known++ === MAX_KNOWN) [states, known] = [newStates(), 0]
        const waiting = advance(program, state.waiting, spot)
        next = waiting && intern(states, waiting)
        state.next.set(key, next ?? MATCH)
      }
      if (next === undefined || next === MATCH) return true
      state = next
      at += spot.code !== undefined && spot.code > 0xff_ff ? 2 : 1
    }
    return false
  }
}

/** What is known of a pattern: the steps that may go on from one character to the next, and where each leads. */
interface State {
  readonly waiting: readonly number[]
  readonly next: Map<number, State>
}

interface States {
  readonly start: State
  readonly bySteps: Map<string, State>
}

/** Transitions that are kept, for each pattern; then they are forgotten and found anew. */
const MAX_KNOWN = 2_000

const MATCH: State = { waiting: [], next: new Map() }

function newStates(): States {
  return { start: { waiting: [], next: new Map() }, bySteps: new Map() }
}

function intern({ bySteps }: States, waiting: readonly number[]): State {
  const name = waiting.join()
  const state = bySteps.get(name) ?? { waiting, next: new Map() }
  bySteps.set(name, state)
  return state
}

/** Everything that a step can ask about a place, as one number. */
function keyOf({ code, afterWord, isStart, isLast }: Spot): number {
  return (code ?? 0x11_00_00) * 8 + (isStart ? 4 : 0) + (isLast ? 2 : 0) + (afterWord ? 1 : 0)
}

function compile(node: PatternNode): readonly Step[] {
  const program: Step[] = []
  emit(program, node)
  push(program, { op: 'match' })
  return program
}

function push(program: Step[], step: Step): void {
  if (program.length >= MAX_STEPS) throw new PatternError('the pattern is too large; repeat fewer times')
  program.push(step)
}

function pushFork(program: Step[], ...to: readonly number[]): Fork {
  const fork: Fork = { op: 'fork', to: [...to] }
  push(program, fork)
  return fork
}

function emit(program: Step[], node: PatternNode): void {
  switch (node.kind) {
    case 'set':
      push(program, { op: 'set', has: node.has })
      return
    case 'at':
      push(program, { op: 'at', holds: node.holds })
      return
    case 'sequence':
      for (const part of node.parts) emit(program, part)
      return
    case 'choice':
      emitChoice(program, node.parts)
      return
    case 'repeat':
      emitRepeat(program, node)
  }
}

function emitChoice(program: Step[], parts: readonly PatternNode[]): void {
  const fork = pushFork(program)
  const ends: Fork[] = []
  for (const part of parts) {
    fork.to.push(program.length)
    emit(program, part)
    ends.push(pushFork(program))
  }
  for (const end of ends) end.to.push(program.length)
}

function emitRepeat(program: Step[], { part, least, most }: Extract<PatternNode, { kind: 'repeat' }>): void {
  for (let count = 0; count < least; count++) {
    const before = program.length
    emit(program, part)
    if (program.length === before) return // an empty group, however often
  }
  const exits: Fork[] = []
  const start = program.length
  for (let count = least; count < (most ?? least + 1); count++) {
    exits.push(pushFork(program, program.length + 1))
    emit(program, part)
  }
  if (most === undefined) pushFork(program, start)
  for (const exit of exits) exit.to.push(program.length)
}

/** The steps that wait for the character after this one; undefined when the pattern was found before it. */
function advance(program: readonly Step[], waiting: readonly number[], spot: Spot): readonly number[] | undefined {
  const seen = new Set<number>()
  const next: number[] = []
  const open = [...waiting, 0] // a match may begin at every character
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    if (seen.has(step)) continue
    seen.add(step)
    const current = program[step]
    if (current?.op === 'match') return undefined
    if (current?.op === 'set' && spot.code !== undefined && current.has(spot.code)) next.push(step + 1)
    if (current?.op === 'fork') open.push(...current.to)
    if (current?.op === 'at' && current.holds(spot)) open.push(step + 1)
  }
  return next.toSorted((a, b) => a - b)
}
