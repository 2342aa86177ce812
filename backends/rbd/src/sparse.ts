/** Smaller holes are not worth an operation of their own. */
const GRAIN = 64 * 1024
const ZEROS = new Uint8Array(GRAIN)

export type Run = readonly [offset: number, pieces: readonly Uint8Array[]]

/**
 * What has to be written of bytes that begin at `offset`: all but the zero grains. Grains lie at multiples of their size
 * in the image, wherever the pieces begin and end.
 */
export function nonZeroRuns(offset: number, pieces: readonly Uint8Array[]): readonly Run[] {
  const runs: [number, Uint8Array[]][] = []
  let run: [number, Uint8Array[]] | undefined
  for (const [at, grain] of grains(offset, pieces)) {
    if (grain.every(isZero)) run = undefined
    else if (run) run[1].push(...grain)
    else runs.push((run = [at, [...grain]]))
  }
  return runs.map(([at, parts]) => [at, joined(parts)])
}

function* grains(offset: number, pieces: readonly Uint8Array[]): Generator<Run> {
  let grain: Uint8Array[] = []
  let start = offset
  let at = offset
  for (const piece of pieces) {
    for (let from = 0; from < piece.byteLength; ) {
      const to = Math.min(piece.byteLength, from + GRAIN - (at % GRAIN))
      grain.push(piece.subarray(from, to))
      at += to - from
      from = to
      if (at % GRAIN !== 0) continue
      yield [start, grain]
      grain = []
      start = at
    }
  }
  if (grain.length > 0) yield [start, grain]
}

/** Neighbours in memory become one again. */
function joined(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const whole: Uint8Array[] = []
  for (const part of parts) {
    const last = whole.at(-1)
    const adjacent = last?.buffer === part.buffer && last.byteOffset + last.byteLength === part.byteOffset
    if (last && adjacent) {
      whole[whole.length - 1] = new Uint8Array(part.buffer, last.byteOffset, last.byteLength + part.byteLength)
    } else whole.push(part)
  }
  return whole
}

/** At most a grain. */
function isZero(part: Uint8Array): boolean {
  return part[0] === 0 && Buffer.compare(part, ZEROS.subarray(0, part.byteLength)) === 0
}
