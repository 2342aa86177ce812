import { randomBytes } from 'node:crypto'
import mysql from 'mysql2/promise'
import pg from 'pg'
import type { SqlConfig } from '@mullion/sql'

type Rows = readonly Record<string, unknown>[]

/** A database of its own on a real server. */
export interface TestDatabase {
  readonly dialect: 'postgres' | 'mysql'
  readonly url: string
  readonly config: SqlConfig
  /** Past the library. */
  sql(text: string): Promise<Rows>
  /** Forgets every record. */
  empty(): Promise<void>
  /** Ends every other connection to it. */
  cutConnections(): Promise<void>
  drop(): Promise<void>
}

const TABLES = ['tasks', 'image_members', 'image_locations', 'image_tags', 'image_properties', 'images']

export function randomName(): string {
  return `mullion_${randomBytes(6).toString('hex')}`
}

export function withName(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

export async function postgresDatabase(server: string): Promise<TestDatabase> {
  const name = randomName()
  const url = withName(server, name)
  const once = async (at: string, text: string): Promise<Rows> => {
    const client = new pg.Client(at)
    await client.connect()
    try {
      return (await client.query(text)).rows as Rows
    } finally {
      await client.end()
    }
  }
  await once(server, `create database ${name} template template0`)
  return {
    dialect: 'postgres',
    url,
    config: { dialect: 'postgres', url },
    sql: (text) => once(url, text),
    empty: async () => void (await once(url, TABLES.map((table) => `delete from ${table}`).join('; '))),
    cutConnections: async () =>
      void (await once(
        server,
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and backend_type = 'client backend'`,
      )),
    drop: async () => void (await once(server, `drop database ${name}`)),
  }
}

export async function mysqlDatabase(server: string): Promise<TestDatabase> {
  const name = randomName()
  const url = withName(server, name)
  const once = async (at: string, text: string): Promise<Rows> => {
    const client = await mysql.createConnection(at)
    try {
      let last: Rows = []
      for (const statement of text.split('; ')) {
        const [rows] = await client.query(statement)
        last = rows as unknown as Rows
      }
      return last
    } finally {
      await client.end()
    }
  }
  await once(server, `create database ${name}`)
  return {
    dialect: 'mysql',
    url,
    config: { dialect: 'mysql', url },
    sql: (text) => once(url, text),
    empty: async () => void (await once(url, TABLES.map((table) => `delete from ${table}`).join('; '))),
    cutConnections: async () => {
      const found = await once(server, `select id from information_schema.processlist where db = '${name}'`)
      for (const { id } of found) await once(server, `kill ${Number(id)}`).catch(() => undefined)
    },
    drop: async () => void (await once(server, `drop database ${name}`)),
  }
}
