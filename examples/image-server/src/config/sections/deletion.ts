import { z } from 'zod'
import { seconds } from './values.ts'

export interface DeletionConfig {
  readonly delayedDelete: boolean
  readonly scrubTime: number
  readonly wakeupTime: number
}

export const deletion: z.ZodType<DeletionConfig> = z.strictObject({
  delayedDelete: z.boolean().default(false).describe('Keep the data of deleted images until the scrubber removes it.'),
  scrubTime: seconds().default(0).describe('Seconds that the data of a deleted image is kept at least.'),
  wakeupTime: seconds().min(1).default(300).describe('Seconds between two runs of the scrubber.'),
})
