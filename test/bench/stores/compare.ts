import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { measure, type Run } from './measure.ts'
import type { OpenedService, Tool } from './service.ts'

const run = promisify(execFile)

/** All rounds of one program with one service. */
export interface Record {
  readonly service: string
  readonly verb: Verb
  readonly tool: string
  /** One for each round. */
  readonly runs: readonly Run[]
}

export type Verb = (typeof VERBS)[number]

const VERBS = ['start', 'add', 'get'] as const

export interface Comparison {
  readonly service: string
  readonly rounds: number
  readonly sample: string
  /** Where downloads go. */
  readonly scratch: string
  /** Ends the comparison; the program that runs has to end by itself. */
  readonly signal: AbortSignal
  /** Hears which program cannot be compared; its runs are dropped. */
  readonly failed: (tool: string, error: Error) => void
}

/** The programs take turns, in an order that turns around, so that neighbours on the machine disturb all of them. */
export async function compare(opened: OpenedService, comparison: Comparison): Promise<readonly Record[]> {
  const turns = new Map<Tool, Turn[]>(opened.tools.map((tool) => [tool, []]))
  for (let round = 0; round < comparison.rounds; round += 1) {
    const tools = [...turns.keys()]
    for (const tool of round % 2 === 0 ? tools : tools.toReversed()) {
      comparison.signal.throwIfAborted()
      try {
        turns.get(tool)?.push(await turn(opened, tool, comparison, round === 0))
      } catch (error) {
        comparison.signal.throwIfAborted()
        turns.delete(tool)
        comparison.failed(tool.name, (error instanceof SuppressedError ? error.suppressed : error) as Error)
      }
    }
  }
  return VERBS.flatMap((verb) =>
    [...turns].flatMap(([{ name, [verb]: able }, rounds]) => {
      const runs = rounds.flatMap((done) => done[verb] ?? [])
      return able ? [{ service: comparison.service, verb, tool: name, runs }] : []
    }),
  )
}

type Turn = Partial<{ readonly [V in Verb]: Run }>

/** Adds under a new name, fetches that, and removes it. */
async function turn(
  { place: newPlace }: OpenedService,
  tool: Tool,
  { sample, scratch }: Comparison,
  check: boolean,
): Promise<Turn> {
  await using place = await newPlace()
  const key = randomUUID()
  const file = join(scratch, key)
  const adding = { place: place.name, key, file: sample, added: '' }
  const start = tool.start && (await measure(tool.start(adding)))
  const add = tool.add && (await measure(tool.add(adding)))
  try {
    const get = tool.get && (await measure(tool.get({ ...adding, file, added: add?.output ?? '' })))
    if (get && check) await run('cmp', [sample, file])
    return { ...(start && { start }), ...(add && { add }), ...(get && { get }) }
  } finally {
    await rm(file, { force: true })
  }
}
