import { median } from '../run.ts'
import { aligned } from '../table.ts'
import type { Record } from './compare.ts'
import { MULLION, WITHOUT_DIGESTS } from './tools.ts'

const MIB = 1024 ** 2
const HEAD = [
  'service',
  'verb',
  'program',
  'seconds',
  'MiB/s',
  'best',
  'CPU s',
  'peak MiB',
  'mullion ÷',
  'no digests ÷',
]

/** A text table. `÷` is mullion's speed to that of the program in the same round, the median of the rounds. */
export function table(records: readonly Record[], size: number): string {
  const rows = records.map((record) => {
    const { service, verb, tool, runs } = record
    const seconds = runs.map((run) => run.seconds)
    const rate = (time: number): string => (verb === 'start' ? '' : (size / MIB / time).toFixed(0))
    return [
      service,
      verb,
      tool,
      median(seconds).toFixed(2),
      rate(median(seconds)),
      rate(Math.min(...seconds)),
      median(runs.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2),
      (Math.max(...runs.map(({ peak }) => peak)) / MIB).toFixed(0),
      ratio(ofSame(records, record, MULLION), record),
      ratio(ofSame(records, record, WITHOUT_DIGESTS), record),
    ]
  })
  return aligned([HEAD, ...rows], 3)
}

function ofSame(records: readonly Record[], { service, verb }: Record, tool: string): Record | undefined {
  return records.find((other) => other.service === service && other.verb === verb && other.tool === tool)
}

function ratio(mullion: Record | undefined, other: Record): string {
  if (!mullion || other.tool === MULLION || other.tool === WITHOUT_DIGESTS) return ''
  const ratios = other.runs.map(({ seconds }, round) => seconds / (mullion.runs[round]?.seconds ?? Number.NaN))
  return median(ratios).toFixed(2)
}
