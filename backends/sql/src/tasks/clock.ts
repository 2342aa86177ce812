import { sql } from 'kysely'
import type { Query } from '../database.ts'
import type { Engine } from '../engine.ts'

/** The time that leases are measured by: of the database, so that the clocks of its clients do not matter. */
export type Clock = (query: Query) => Promise<Date>

/** `now` goes before the database's time. */
export function leaseClock({ clock }: Engine, now: (() => Date) | undefined): Clock {
  if (now || !clock) return async () => now?.() ?? new Date()
  return async (query) => {
    const { rows } = await sql<{ readonly now: string }>`select ${clock} as now`.execute(query)
    return new Date(rows[0]?.now ?? Number.NaN)
  }
}
