import { mkdirSync } from 'node:fs'
import { checkRegistry, migrateRegistry, type SqlConfig } from '@mullion/sql'
import type { Command } from 'commander'
import { redactUri } from 'mullion'
import { sqlConfig } from '../server/database.ts'
import { type Bind, type CommonOptions, type Context, withCommonOptions } from './command.ts'
import { EXIT, Misuse } from './exit-code.ts'

export function addDatabase(program: Command, bind: Bind): void {
  const db = program
    .command('db')
    .summary('look after the tables of the records')
    .description('The tables of the records.')
  withCommonOptions(db.command('check'))
    .summary('say which version the tables have')
    .description('Says which version the tables have and which migrations they lack; exit code 3 when they lack any.')
    .action(bind(check))
  withCommonOptions(db.command('upgrade'))
    .summary('bring the tables up to date')
    .description('Makes the tables, or brings them up to date. Take a backup first: there is no way back but that.')
    .action(bind(upgrade))
}

/** Throws Misuse where the tables are somebody else's. */
function ownDatabase(config: Context['config']): SqlConfig {
  if (config.registry.url === undefined) return sqlConfig(config)
  throw new Misuse(
    `db: the records are kept by ${redactUri(config.registry.url)}: look after its database where it runs`,
  )
}

async function check({ config, output }: Context, _options: CommonOptions): Promise<number> {
  const { version, latest, pending, unfinished } = await checkRegistry(ownDatabase(config))
  const has = version === undefined ? 'the database has no tables' : `the database is at version ${version}`
  const begun = unfinished === undefined ? '' : `; ${unfinished} began and did not end`
  const lacks = pending.length === 0 ? 'up to date' : `lacks ${pending.join(', ')} (mullion db upgrade)${begun}`
  await output.say({ version, latest, pending, unfinished }, `${has}: ${lacks}`)
  return pending.length === 0 ? EXIT.fine : EXIT.found
}

async function upgrade({ config, output }: Context, _options: CommonOptions): Promise<number> {
  const database = ownDatabase(config)
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const applied = await migrateRegistry(database)
  const text = applied.length === 0 ? 'the database is up to date' : `applied ${applied.join(', ')}`
  await output.say({ applied }, text)
  return EXIT.fine
}
