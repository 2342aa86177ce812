import type { StoreEnv } from 'mullion'
import type { Client } from './client.ts'
import type { S3Settings } from './config.ts'

/** What one opened store works with. */
export interface Tools {
  readonly client: Client
  readonly settings: S3Settings
  readonly log: StoreEnv['log']
}
