import { imageCases } from './contract/images.ts'
import { listCases } from './contract/list.ts'
import { memberCases } from './contract/members.ts'
import type { RegistryCase, RegistryPorts } from './contract/ports.ts'
import { taskCases } from './contract/tasks.ts'

/** The part of a test runner that the contract needs: vitest and node:test both have it. */
export interface Runner {
  readonly describe: (title: string, body: () => void) => unknown
  readonly it: (title: string, body: () => Promise<void>) => unknown
}

export interface RegistryUnderTest {
  readonly name: string
  /** Opens ports over empty storage, one for each case. */
  open(): Promise<RegistryPorts & { close?(): Promise<void> }>
}

/** What every adapter of the remembering ports has to do, whatever it remembers in. */
const registryCases: Readonly<Record<string, readonly RegistryCase[]>> = {
  images: imageCases,
  lists: listCases,
  members: memberCases,
  tasks: taskCases,
}

export function testRegistry({ describe, it }: Runner, { name, open }: RegistryUnderTest): void {
  for (const [part, cases] of Object.entries(registryCases)) {
    describe(`${name}: ${part}`, () => {
      for (const { title, run } of cases) {
        it(title, async () => {
          const ports = await open()
          try {
            await run(ports)
          } finally {
            await ports.close?.()
          }
        })
      }
    })
  }
}
