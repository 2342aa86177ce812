import { z } from 'zod'
import { count } from './values.ts'

export interface LimitsConfig {
  readonly imageSizeCap: number
  readonly imagePropertyQuota: number
  readonly limitParamDefault: number
  readonly apiLimitMax: number
  readonly maxHeaderLine: number
  readonly maxRequestIdLength: number
}

export const limits: z.ZodType<LimitsConfig> = z.strictObject({
  imageSizeCap: z.int().min(1).default(1_099_511_627_776).describe('Bytes of the largest image that is taken in.'),
  imagePropertyQuota: z.int().min(-1).default(128).describe('Custom properties of an image; -1 for no limit.'),
  limitParamDefault: z.int().min(1).default(25).describe('Images on a page of a list when the request does not say.'),
  apiLimitMax: z.int().min(1).default(1000).describe('Images on a page of a list at most.'),
  maxHeaderLine: z.int().min(256).max(65_536).default(16_384).describe('Bytes of one header line.'),
  maxRequestIdLength: count().default(64).describe('Characters of `X-Openstack-Request-ID`; 0 for no limit.'),
})
