import type { Output } from './output.ts'

/** Holes are whole blocks of a file; 4 KiB is the block of the usual file systems and what `cp --sparse` looks at. */
const BLOCK = 4096
const ZEROS = new Uint8Array(BLOCK)

/** Leaves out blocks of zeros, wherever the chunks begin and end. The caller sets the length of the file at the end. */
export function withHoles(output: Output): Output {
  let block: Uint8Array[] = [] // the beginning of a block whose end has not come yet
  let filled = 0

  async function complete(): Promise<void> {
    const [done, bytes] = [block, filled]
    block = []
    filled = 0
    if (done.every(isZero)) await output.skip(bytes)
    else for (const part of done) await output.write(part)
  }

  function hold(data: Uint8Array): void {
    if (data.byteLength === 0) return
    block.push(data)
    filled += data.byteLength
  }

  return {
    async write(data) {
      const head = filled === 0 ? 0 : Math.min(BLOCK - filled, data.byteLength)
      hold(data.subarray(0, head))
      if (filled === BLOCK) await complete()
      const tail = filled === 0 ? data.byteLength - ((data.byteLength - head) % BLOCK) : head
      await writeRuns(output, data.subarray(head, tail))
      hold(data.subarray(tail))
    },
    skip: () => Promise.reject(new TypeError('holes are found, not announced')),
    async end() {
      if (filled > 0) await complete()
      return output.end()
    },
    settled: () => output.settled(),
  }
}

/** Whole blocks: each run of zero blocks becomes one hole, each run of others one part. */
async function writeRuns(output: Output, data: Uint8Array): Promise<void> {
  for (let from = 0, to = 0; from < data.byteLength; from = to) {
    const zero = isZero(data.subarray(from, from + BLOCK))
    do to += BLOCK
    while (to < data.byteLength && isZero(data.subarray(to, to + BLOCK)) === zero)
    await (zero ? output.skip(to - from) : output.write(data.subarray(from, to)))
  }
}

/** At most a block. */
function isZero(data: Uint8Array): boolean {
  return data[0] === 0 && Buffer.compare(data, ZEROS.subarray(0, data.byteLength)) === 0
}
