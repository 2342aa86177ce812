import { z } from 'zod'
import { names } from './values.ts'

/** Roles by action; `@` is everybody, an empty list nobody. */
export interface PolicyConfig {
  readonly getImages: readonly string[]
  readonly getImage: readonly string[]
  readonly downloadImage: readonly string[]
  readonly addImage: readonly string[]
  readonly modifyImage: readonly string[]
  readonly publicizeImage: readonly string[]
  readonly copyFrom: readonly string[]
  readonly uploadImage: readonly string[]
  readonly setImageLocation: readonly string[]
  readonly deleteImage: readonly string[]
}

const RULES = {
  getImages: ['@', 'list images'],
  getImage: ['@', 'see the record of an image'],
  downloadImage: ['@', 'download the data of an image'],
  addImage: ['@', 'create an image'],
  modifyImage: ['@', 'change an image'],
  publicizeImage: ['admin', 'make an image public'],
  copyFrom: ['@', 'have an image copied from another server'],
  uploadImage: ['@', 'send the data of an image'],
  setImageLocation: ['@', 'register data that lies on another server'],
  deleteImage: ['@', 'delete an image'],
} as const satisfies Record<keyof PolicyConfig, readonly [string, string]>

const rule = (role: string, what: string) => names(0).default([role]).describe(`Roles that may ${what}.`)
export const policy: z.ZodType<PolicyConfig> = z.strictObject(
  Object.fromEntries(Object.entries(RULES).map(([action, [role, what]]) => [action, rule(role, what)])) as {
    [A in keyof PolicyConfig]: ReturnType<typeof rule>
  },
)
