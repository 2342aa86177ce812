import { z } from 'zod'
import { seconds } from './values.ts'

export interface CopiesConfig {
  readonly concurrency: number
  readonly pollInterval: number
}

export const copies: z.ZodType<CopiesConfig> = z.strictObject({
  concurrency: z.int().min(1).max(64).default(2).describe('Images copied from other servers at the same time.'),
  pollInterval: seconds().min(0.01).default(1).describe('Seconds until an idle worker looks for work again.'),
})
