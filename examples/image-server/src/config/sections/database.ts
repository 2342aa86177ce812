import { z } from 'zod'
import { seconds } from './values.ts'

/** Where the records are. */
export interface DatabaseConfig {
  /** Undefined: a SQLite file below the data directory. */
  readonly url?: string | undefined
  readonly poolSize: number
  readonly tls: boolean
  readonly tlsCa?: string | undefined
  readonly tlsCert?: string | undefined
  readonly tlsKey?: string | undefined
  readonly tlsServerName?: string | undefined
  readonly busyTimeout: number
  readonly connectTimeout: number
  readonly statementTimeout: number
  readonly lease: number
  readonly migrate: boolean
}

const text = () => z.string().min(1).optional()

export const database: z.ZodType<DatabaseConfig> = z.strictObject({
  url: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Database server for the records: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or `mysql://…` for MySQL and ' +
        'MariaDB, or a reference to it. Several servers may share one. Not set: a SQLite file in `data_dir`, for one server.',
    )
    .meta({ secret: true }),
  poolSize: z.int().min(1).max(1000).default(10).describe('Connections to the database server at once.'),
  tls: z.boolean().default(false).describe('Encrypt the connection to the database server and check its certificate.'),
  tlsCa: text().describe("Certificates to trust instead of the system's, PEM, or a reference to them."),
  tlsCert: text().describe('Certificate that this server shows to the database server, PEM, or a reference to it.'),
  tlsKey: text().describe('Key of that certificate, PEM, or a reference to it.').meta({ secret: true }),
  tlsServerName: text().describe("Name in the database server's certificate, when it is not the host of the URL."),
  busyTimeout: seconds().default(5).describe('Seconds that a database which is busy or away is asked again.'),
  connectTimeout: seconds().min(0.001).default(5).describe('Seconds that connecting to the database server may take.'),
  statementTimeout: seconds()
    .default(30)
    .describe('Seconds that the database server may work on one statement; 0 for ever.'),
  lease: seconds()
    .min(0.1)
    .default(30)
    .describe('Seconds without a sign of life after which another server ends or takes over what a server was doing.'),
  migrate: z
    .boolean()
    .default(true)
    .describe('Bring the tables up to date at the start. Otherwise the server refuses to start with old tables.'),
})

/** `postgres` or `mysql`, from the scheme of the URL; undefined for another. */
export function dialectOf(url: string): 'postgres' | 'mysql' | undefined {
  if (/^postgres(?:ql)?:/.test(url)) return 'postgres'
  return /^(?:mysql|mariadb):/.test(url) ? 'mysql' : undefined
}
