import { z } from 'zod'

const LONGEST_TIMER = 2_147_483 // seconds: setTimeout counts milliseconds in 31 bits

/** A duration. */
export const seconds = (): z.ZodNumber => z.number().min(0).max(LONGEST_TIMER)

/** How many. */
export const count = (): z.ZodInt => z.int().min(0)

/** A list of at least so many words. */
export const names = (least: number): z.ZodArray<z.ZodString> =>
  z.array(z.string().regex(/^[\x21-\x7e]+$/, 'expected visible ASCII without blanks')).min(least)
