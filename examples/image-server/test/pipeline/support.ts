import type { FrontStep } from '../../src/pipeline/flavours.ts'
import type { FrontSettings } from '../../src/pipeline/front.ts'

/** What comes before the API, with nothing configured. */
export function front(
  steps: readonly FrontStep[],
  over: Partial<FrontSettings> = {},
): { readonly front: FrontSettings } {
  const cors = {
    allowedOrigins: [],
    allowCredentials: false,
    maxAgeSeconds: 3600,
    allowMethods: ['GET', 'PUT'],
    allowHeaders: ['X-Auth-Token'],
    exposeHeaders: ['X-Image-Meta-Checksum'],
  }
  return { front: { steps, trustedProxies: [], cors, ...over } }
}
