import { REFUSED_SCHEMES } from 'mullion/images'
import { z } from 'zod'
import { names } from './values.ts'

export interface ImagesConfig {
  readonly diskFormats: readonly string[]
  readonly containerFormats: readonly string[]
  readonly refusedSchemes: readonly string[]
}

export const images: z.ZodType<ImagesConfig> = z.strictObject({
  diskFormats: names(1)
    .default(['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso'])
    .describe('Disk formats that an image may have.'),
  containerFormats: names(1)
    .default(['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker'])
    .describe('Container formats that an image may have.'),
  refusedSchemes: names(0)
    .default([...REFUSED_SCHEMES])
    .describe(
      'Schemes that nobody may register or copy from, although a store serves them: they lead to the storage of the operator.',
    ),
})
