import { randomBytes } from 'node:crypto'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'

/** An empty database of its own. */
export interface TestDatabase {
  readonly url: string
  drop(): Promise<void>
}

const newName = (): string => `mullion_${randomBytes(6).toString('hex')}`

export async function postgres(adminUrl: string, userUrl: string): Promise<TestDatabase> {
  const name = newName()
  const owner = new URL(userUrl).username
  await asAdmin(adminUrl, `create database ${name} owner ${owner}`)
  const drop = () => asAdmin(adminUrl, `drop database ${name} with (force)`)
  return { url: withDatabase(userUrl, name), drop }
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

export async function mariadb(url: string): Promise<TestDatabase> {
  const name = newName()
  const run = async (statement: string): Promise<void> => {
    const connection = await createConnection(url)
    await connection.query(statement)
    await connection.end()
  }
  await run(`create database ${name}`)
  return { url: withDatabase(url, name), drop: () => run(`drop database ${name}`) }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
