import { imageCases } from './contract/images.ts'
import { listCases } from './contract/list.ts'
import { memberCases } from './contract/members.ts'
import { createClock, type RegistryCase, type RegistryPorts } from './contract/ports.ts'
import { taskCases } from './contract/tasks.ts'
import { usageCases } from './contract/usage.ts'

/** The part of a test runner that the contract needs: vitest and node:test both have it. */
export interface Runner {
  readonly describe: (title: string, body: () => void) => unknown
  readonly it: (title: string, body: () => Promise<void>) => unknown
}

export interface RegistryUnderTest {
  readonly name: string
  /** Opens ports over empty storage, one for each case, with leases of `LEASE_MS` by this clock. */
  open(now: () => Date): Promise<RegistryPorts & { close?(): Promise<void> }>
}

/** What every adapter of the remembering ports has to do, whatever it remembers in. */
const registryCases: Readonly<Record<string, readonly RegistryCase[]>> = {
  images: imageCases,
  lists: listCases,
  members: memberCases,
  tasks: taskCases,
  usage: usageCases,
}

export function testRegistry({ describe, it }: Runner, { name, open }: RegistryUnderTest): void {
  for (const [part, cases] of Object.entries(registryCases)) {
    describe(`${name}: ${part}`, () => {
      for (const { title, run } of cases) {
        it(title, async () => {
          const clock = createClock()
          const ports = await open(clock.now)
          try {
            await run({ ...ports, clock })
          } finally {
            await ports.close?.()
          }
        })
      }
    })
  }
}
