import { z } from 'zod'
import { FLAVOURS, type Flavour, type Step, STEPS } from '../../pipeline/flavours.ts'
import { stepProblems } from '../../pipeline/pipeline.ts'
import { addressList } from '../../plugins/forwarded.ts'

export interface PipelineConfig {
  readonly flavour: Flavour
  readonly steps?: readonly Step[] | undefined
  readonly healthcheckDisableFile?: string | undefined
  readonly trustedProxies: readonly string[]
}

export const pipeline: z.ZodType<PipelineConfig> = z
  .strictObject({
    flavour: z
      .enum(Object.keys(FLAVOURS) as Flavour[])
      .default('')
      .describe(
        'Who checks identities. Empty: nobody, every request acts as an administrator. `keystone`: tokens, with the ' +
          'settings of `[keystone]`. `trusted-auth`: a proxy in front, whose identity headers are believed; nobody else may reach the port. ' +
          '`tokens`: those of `[[auth.tokens]]`. With `+caching`, data is cached; with `+cachemanagement`, the cache has its API too.',
      ),
    steps: z
      .array(z.enum(STEPS))
      .optional()
      .describe(
        `The steps of the pipeline one by one, in place of a flavour: ${STEPS.map((step) => `\`${step}\``).join(', ')}.`,
      )
      .superRefine((steps, context) => {
        for (const message of stepProblems(steps ?? [])) context.addIssue({ code: 'custom', message })
      }),
    healthcheckDisableFile: z
      .string()
      .min(1)
      .optional()
      .describe('While this file exists, `/healthcheck` answers 503.'),
    trustedProxies: z
      .array(z.string().refine(isNetwork, 'expected an address or a network such as 10.0.0.0/8'))
      .default([])
      .describe(
        'Addresses and networks of proxies in front whose `Forwarded` or `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` are believed.',
      ),
  })
  .refine(({ flavour, steps }) => flavour === '' || steps === undefined, {
    path: ['steps'],
    error: 'expected either a flavour or steps, not both',
  })

function isNetwork(text: string): boolean {
  try {
    addressList([text])
    return true
  } catch {
    return false
  }
}
