import { type Kysely, sql } from 'kysely'
import type { SqlConfig } from '@mullion/sql'
import { parseConfig } from '../src/config.ts'
import type { Database } from '../src/database.ts'
import { FILTER_COLUMNS, filterIndex, PROPERTY_INDEX, sortIndex } from '../src/images/indexes.ts'
import { createIndexes } from '../src/migrations/servers.ts'
import { openDatabase, prepare } from '../src/open.ts'
import { SORT_KEYS } from 'mullion/images'

type Dialect = 'sqlite' | 'postgres' | 'mysql'

const SEED = 20_160_513
/** Rows of one statement. */
const BATCH = 100_000

/** Times are out of the order of ids: multiples of a prime, modulo a larger one, are all different. */
const STEP = 7919
const MODULUS = 1_000_003

/** The image whose time is in the middle of so many. */
export function middleImage(count: number): string {
  let middle = 0
  const distance = (number: number): number => Math.abs(((number * STEP) % MODULUS) - MODULUS / 2)
  for (let number = 1; number < count; number += 1) if (distance(number) < distance(middle)) middle = number
  return imageId(middle)
}

function imageId(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
}

/**
 * Fills an empty database with so many images, made inside of it from their numbers and a seed. Of any number: 60 % are
 * public, five have one name, 90 % one status, 1 % one owner and one property, one each value of another property, 100
 * are shared with tenant-share.
 */
export async function fillWithImages(config: SqlConfig, count: number): Promise<void> {
  const parsed = parseConfig({ ...config, ...(config.dialect === undefined ? {} : { statementTimeoutMs: 0 }) })
  const database = await openDatabase(parsed)
  try {
    await prepare(parsed, database, true)
    await database.direct('fill', (db) => fill(db as unknown as Kysely<unknown>, parsed.dialect, count, database))
  } finally {
    await database.close()
  }
}

async function fill(db: Kysely<unknown>, dialect: Dialect, count: number, { engine }: Database): Promise<void> {
  const names = ['visibility', 'owner'].flatMap((division) =>
    SORT_KEYS.map((key) => sortIndex(division as 'owner', key).name),
  )
  const drop = async (table: string, name: string): Promise<void> => {
    const index = db.schema.dropIndex(name)
    await (engine.schema.dropsIndexOn ? index.on(table) : index).execute()
  }
  for (const name of [...names, ...FILTER_COLUMNS.map((column) => filterIndex(column).name)]) await drop('images', name)
  await drop('image_properties', PROPERTY_INDEX)
  await drop('tasks', 'ix_tasks_kind')
  for (let from = 0; from < count; from += BATCH) {
    for (const statement of statements(words(dialect), from, Math.min(count, from + BATCH), count)) {
      await sql.raw(statement).execute(db)
    }
  }
  await createIndexes(db)
  if (dialect === 'postgres') await sql`vacuum analyze`.execute(db)
  if (dialect === 'mysql') await sql`analyze table images, image_properties, image_members`.execute(db)
}

interface Words {
  readonly concat: (...parts: readonly string[]) => string
  readonly pad: (number: string, width: number) => string
  readonly div: (a: string, b: number) => string
}

function words(dialect: Dialect): Words {
  const bars = (...parts: readonly string[]): string => `(${parts.join(' || ')})`
  const slash = (a: string, b: number): string => `(${a} / ${b})`
  if (dialect === 'postgres') {
    return { concat: bars, div: slash, pad: (number, width) => `lpad((${number})::text, ${width}, '0')` }
  }
  if (dialect === 'sqlite') {
    return { concat: bars, div: slash, pad: (number, width) => `printf('%0${width}d', ${number})` }
  }
  return {
    concat: (...parts) => `concat(${parts.join(', ')})`,
    div: (a, b) => `(${a} div ${b})`,
    pad: (number, width) => `lpad(${number}, ${width}, '0')`,
  }
}

function statements(w: Words, from: number, to: number, count: number): readonly string[] {
  const key = w.pad('i', 12)
  const id = w.concat(`'00000000-0000-4000-8000-'`, key)
  const place = `(i * ${STEP} % ${MODULUS})`
  const created = time(w, `${place} * 20`)
  const numbers = numbered(from, to)
  const columns = `id, id_key, name, status, hidden, visibility, owner, size, disk_format, container_format, min_disk,
    min_ram, protected, created_at, updated_at, deleted`
  const images = `insert into images (${columns}) select ${id}, ${w.concat(`'00000000000040008000'`, key)},
    ${w.concat(`'name-'`, w.pad(`h % ${Math.max(1, Math.floor(count / 5))}`, 6))},
    case when h % 20 = 0 then 'queued' when h % 20 = 1 then 'saving' else 'active' end, 0,
    case when h % 10 < 6 then 'public' when h % 10 < 9 then 'private' else 'shared' end,
    ${w.concat(`'tenant-'`, w.pad('g % 100', 2))},
    case when g % 20 = 0 then null else g * 512 end,
    case g % 4 when 0 then 'qcow2' when 1 then 'raw' when 2 then 'vmdk' else null end,
    case when g % 10 = 0 then null else 'bare' end,
    case when g % 100 = 1 then 40 else 0 end, case when g % 100 = 2 then 512 else 0 end,
    case when g % 100 = 3 then 1 else 0 end, ${created}, ${time(w, `${place} * 20 + g % 5000000`)}, 0 from ${numbers}`
  const property = (name: string, value: string): string =>
    `insert into image_properties (image_id, name, value, created_at, updated_at, image_created_at, deleted)
      select ${id}, '${name}', ${value}, ${created}, ${created}, ${created}, 0 from ${numbers}`
  const members = `insert into image_members (image_id, member, can_share, status, created_at, updated_at, deleted)
    select ${id}, 'tenant-share', 0, 'accepted', ${created}, ${created}, 0 from ${numbers}
    where i % ${Math.max(1, Math.floor(count / 100))} = 0`
  return [
    images,
    property('os_type', `case when h % 2 = 0 then 'linux' else 'windows' end`),
    property('tier', `case when h % 100 = 7 then 'gold' else 'plain' end`),
    property('build', w.pad('i', 8)),
    members,
  ]
}

/** Rows `i, h, g`: a number, and two that look random (the minimal standard generator, h and g follow each other). */
function numbered(from: number, to: number): string {
  const digit =
    '(select 0 as d union all select 1 union all select 2 union all select 3 union all select 4 union all ' +
    'select 5 union all select 6 union all select 7 union all select 8 union all select 9)'
  const digits = [1, 10, 100, 1000, 10_000].map((_, at) => `${digit} as d${at}`).join(' cross join ')
  const sum = [1, 10, 100, 1000, 10_000].map((scale, at) => `d${at}.d * ${scale}`).join(' + ')
  const rows = `(select ${from} + 0 * 10000000000 + ${sum} as i from ${digits}) as n`
  const hashed = `(select i, (i * 48271 + ${SEED}) * 48271 % 2147483647 as h from ${rows} where i < ${to}) as hn`
  return `(select i, h, h * 48271 % 2147483647 as g from ${hashed}) as numbers`
}

/** So many seconds after 2010, in months of 28 days: text as the registry writes it. */
function time(w: Words, seconds: string): string {
  const s = `(${seconds})`
  const part = (unit: number, modulus: number, first: number, width: number): string =>
    w.pad(`${w.div(s, unit)} % ${modulus} + ${first}`, width)
  const day = 86_400
  return w.concat(
    part(day * 28 * 12, 1000, 2010, 4),
    `'-'`,
    part(day * 28, 12, 1, 2),
    `'-'`,
    part(day, 28, 1, 2),
    `'T'`,
    part(3600, 24, 0, 2),
    `':'`,
    part(60, 60, 0, 2),
    `':'`,
    part(1, 60, 0, 2),
    `'.000Z'`,
  )
}
