import { performance } from 'node:perf_hooks'
import type { Bench, Case, Work } from './cases.ts'
import { peakMemory, resetPeak } from './server-process.ts'

export interface Side {
  /** Bytes or requests a second: the median of the rounds. */
  readonly rate: number
  /** Highest resident memory of the server in bytes, over all rounds. */
  readonly peak: number
}

export interface Result {
  readonly name: string
  readonly unit: Case['unit']
  readonly mullion: Side
  readonly floor: Side
}

interface Pids {
  readonly mullion: number
  readonly floor: number
}

/** Both sides take turns, so that neighbours on the machine disturb both. */
export async function runCase(benchCase: Case, bench: Bench, rounds: number, pids: Pids): Promise<Result> {
  await benchCase.prepare?.(bench)
  await Promise.all([resetPeak(pids.mullion), resetPeak(pids.floor)])
  const rates: { mullion: number[]; floor: number[] } = { mullion: [], floor: [] }
  for (let round = 0; round < (benchCase.once ? 1 : rounds); round += 1) {
    rates.floor.push(await timed(() => benchCase.floor(bench)))
    rates.mullion.push(await timed(() => benchCase.mullion(bench)))
  }
  return {
    name: benchCase.name,
    unit: benchCase.unit,
    mullion: { rate: median(rates.mullion), peak: await peakMemory(pids.mullion) },
    floor: { rate: median(rates.floor), peak: await peakMemory(pids.floor) },
  }
}

async function timed(run: () => Promise<Work>): Promise<number> {
  const begin = performance.now()
  const { amount, undo } = await run()
  const seconds = (performance.now() - begin) / 1000
  await undo?.()
  return amount / seconds
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
