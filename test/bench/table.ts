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
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)))
  return [head, ...rows]
    .map((cells) => cells.map((cell, column) => padded(cell, widths[column], column)).join('  '))
    .join('\n')
}

const rate = ({ rate: value }: Side, unit: Result['unit']): string =>
  unit === 'bytes' ? `${mebibytes(value)}/s` : `${value.toFixed(0)} requests/s`

const mebibytes = (value: number): string => `${(value / MIB).toFixed(0)} MiB`

const padded = (cell: string, width = 0, column: number): string =>
  column === 0 ? cell.padEnd(width) : cell.padStart(width)
