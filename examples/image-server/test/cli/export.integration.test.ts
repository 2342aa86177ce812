import type { SqlRegistry } from '@mullion/sql'
import { createSeal, type Image } from 'mullion/images'
import { expect, it } from 'vitest'
import { describeServers, openedOn } from '../../../../backends/sql/test/servers.ts'
import { linesOf } from '../../src/cli/export.ts'
import { recordsOf } from '../../src/cli/import.ts'
import { type PutOutcome, putRecord } from '../../src/cli/records/put.ts'
import { installation } from './command-line.ts'
import { oneOfEach } from './images.ts'

const seal = createSeal([], false)

async function exported(registry: SqlRegistry): Promise<readonly string[]> {
  return Array.fromAsync(linesOf(registry, seal, AbortSignal.timeout(30_000), () => {}))
}

async function imported(lines: readonly string[], registry: SqlRegistry): Promise<readonly PutOutcome[]> {
  const outcomes: PutOutcome[] = []
  for await (const record of recordsOf(parts(lines), 'export', seal)) {
    outcomes.push(await putRecord(registry, record, { onConflict: 'fail', dryRun: false }))
  }
  return outcomes
}

async function* parts(lines: readonly string[]): AsyncGenerator<string> {
  for (const line of lines) yield line.trimEnd()
}

/** What the lines say of images, in no order: creation times are all the same here. */
function recordsIn(lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.filter((line) => line.includes('"kind":"image"')))
}

describeServers('an export', (database) => {
  it('goes from SQLite into another database and back without a change', async () => {
    const file = await (await installation()).open()
    const images: readonly Image[] = Object.values(oneOfEach())
    for (const image of images) await file.images.insert(image)
    await file.members.replace(images[0]?.id ?? '', [{ member: 'ünïcode', canShare: true }])
    const first = await exported(file)
    const server = await openedOn(database)
    expect(await imported(first, server)).toEqual(images.map(() => 'added'))
    expect(await imported(first, server)).toEqual(images.map(() => 'unchanged'))
    const second = await exported(server)
    expect(recordsIn(second)).toEqual(recordsIn(first))
    const back = await (await installation()).open()
    await imported(second, back)
    expect(recordsIn(await exported(back))).toEqual(recordsIn(first))
  })
})
