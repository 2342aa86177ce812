import { z } from 'zod'
import { count } from './values.ts'

export interface LimitsConfig {
  readonly imageSizeCap: number
  readonly imagePropertyQuota: number
  readonly imagePropertiesSize: number
  readonly imageMemberQuota: number
  /** As written, such as `10 GB`; `storageQuota` reads it. */
  readonly userStorageQuota: string
  readonly limitParamDefault: number
  readonly apiLimitMax: number
  readonly maxHeaderLine: number
  readonly maxRequestIdLength: number
}

const QUOTA = /^(\d{1,16}) ?(B|KB|MB|GB|TB)?$/
const UNITS: readonly string[] = ['B', 'KB', 'MB', 'GB', 'TB']

/** Bytes, undefined for no limit. */
export function storageQuota(text: string): number | undefined {
  const [, digits = '0', unit = 'B'] = QUOTA.exec(text) ?? []
  return Number(digits) * 1024 ** UNITS.indexOf(unit) || undefined
}

export const limits: z.ZodType<LimitsConfig> = z.strictObject({
  imageSizeCap: z.int().min(1).default(1_099_511_627_776).describe('Bytes of the largest image that is taken in.'),
  imagePropertyQuota: z.int().min(-1).default(128).describe('Custom properties of an image; -1 for no limit.'),
  imagePropertiesSize: z
    .int()
    .min(-1)
    .default(65_536)
    .describe('Bytes of the names and values of all custom properties of an image together; -1 for no limit.'),
  imageMemberQuota: z.int().min(-1).default(128).describe('Members of an image; -1 for no limit.'),
  userStorageQuota: z
    .string()
    .regex(QUOTA, 'expected digits and a unit of B, KB, MB, GB or TB')
    .refine((text) => Number.isSafeInteger(storageQuota(text) ?? 0), 'expected at most 9007199254740991 bytes')
    .default('0')
    .describe('What the images of one owner may take up together, such as `500 GB`; units of 1024; 0 for no limit.'),
  limitParamDefault: z.int().min(1).default(25).describe('Images on a page of a list when the request does not say.'),
  apiLimitMax: z.int().min(1).default(1000).describe('Images on a page of a list at most.'),
  maxHeaderLine: z.int().min(256).max(65_536).default(16_384).describe('Bytes of one header line.'),
  maxRequestIdLength: count().default(64).describe('Characters of `X-Openstack-Request-ID`; 0 for no limit.'),
})
