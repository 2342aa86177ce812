import type { Result, Side } from './run.ts'

const MIB = 1024 ** 2

/** A text table. The ratio is mullion's rate to that of the floor: 1 would cost nothing. */
export function table(results: readonly Result[]): string {
  const head = ['case', 'mullion', 'floor', 'ratio', 'peak RSS', 'floor RSS']
  const rows = results.map(({ name, unit, mullion, floor }) => [
    name,
    rate(mullion, unit),
    rate(floor, unit),
    (mullion.rate / floor.rate).toFixed(2),
    mebibytes(mullion.peak),
    mebibytes(floor.peak),
  ])
  return aligned([head, ...rows])
}

/** Columns of text; the first `names` of them begin at the left, the others end at the right. */
export function aligned(rows: readonly (readonly string[])[], names = 1): string {
  const [head = []] = rows
  const widths = head.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  const padded = (cell: string, column: number): string =>
    column < names ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
  return rows.map((cells) => cells.map(padded).join('  ').trimEnd()).join('\n')
}

const mebibytes = (value: number): string => `${(value / MIB).toFixed(0)} MiB`

const rate = ({ rate: value }: Side, unit: Result['unit']): string =>
  unit === 'bytes' ? `${mebibytes(value)}/s` : `${value.toFixed(0)} requests/s`
