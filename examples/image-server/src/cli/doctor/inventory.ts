import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** An object that a store listed. */
export interface Item {
  readonly store: string
  readonly uri: string
  /** The key it was written under, or what its address ends in when that does not tell. */
  readonly key: string | undefined
  readonly size: number | undefined
  readonly modifiedAt: Date | undefined
}

/** What the stores hold, and what of it the records name. In a temporary file: there may be millions. */
export interface Inventory extends Disposable {
  add(item: Item): void
  /**
   * A record names what lies there, whichever store listed it, or what was written under the key, whichever store that
   * was: two stores may reach one place by different addresses.
   */
  name(uri: string, key: string | undefined): void
  /** Every store may hold data that was written under the key, or in a later attempt under `KEY.ATTEMPT`. */
  nameEverywhere(key: string): void
  /** How many objects of the store a record names. */
  countNamed(store: string): number
  /** What no record names, in the order of stores and places. May be asked for more while the inventory changes. */
  unnamed(): Generator<Item>
  isNamed(item: Item): boolean
}

const PAGE = 500

export function createInventory(): Inventory {
  const directory = mkdtempSync(join(tmpdir(), 'mullion-doctor-'))
  const database = new DatabaseSync(join(directory, 'objects.sqlite'))
  database.exec(`
    pragma journal_mode = off; pragma synchronous = off;
    create table objects (id integer primary key, store text not null, uri text not null, key text, size integer,
      modified integer, named integer not null default 0);
    create index objects_uri on objects (uri);
    create index objects_key on objects (key);
    begin`)
  const insert = database.prepare('insert into objects (store, uri, key, size, modified) values (?, ?, ?, ?, ?)')
  const byUri = database.prepare('update objects set named = 1 where uri = ?')
  const byKey = database.prepare('update objects set named = 1 where key = ?')
  const byStem = database.prepare(`update objects set named = 1 where key > ? || '.' and key < ? || '/'`) // / follows .
  const count = database.prepare('select count(*) as objects from objects where store = ? and named = 1')
  const page = database.prepare(`select * from objects where named = 0 and id > ? order by id limit ${PAGE}`)
  const one = database.prepare('select max(named) as named from objects where uri = ?')
  return {
    add({ store, uri, key, size, modifiedAt }) {
      insert.run(store, uri, key ?? null, size ?? null, modifiedAt?.getTime() ?? null)
    },
    name(uri, key) {
      byUri.run(uri)
      if (key !== undefined) byKey.run(key)
    },
    nameEverywhere(key) {
      byKey.run(key)
      byStem.run(key, key)
    },
    countNamed: (store) => Number(count.get(store)?.['objects'] ?? 0),
    *unnamed() {
      let after = 0
      for (;;) {
        const rows = page.all(after) as unknown as readonly ItemRow[]
        for (const row of rows) yield itemOf(row)
        if (rows.length < PAGE) return
        after = rows.at(-1)?.id ?? after
      }
    },
    isNamed: ({ uri }) => one.get(uri)?.['named'] === 1,
    [Symbol.dispose]() {
      database.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

interface ItemRow {
  readonly id: number
  readonly store: string
  readonly uri: string
  readonly key: string | null
  readonly size: number | null
  readonly modified: number | null
}

function itemOf({ store, uri, key, size, modified }: ItemRow): Item {
  const modifiedAt = modified === null ? undefined : new Date(modified)
  return { store, uri, key: key ?? undefined, size: size ?? undefined, modifiedAt }
}
