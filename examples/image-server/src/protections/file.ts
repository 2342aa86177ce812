import { refusal } from '../config/document.ts'
import type { ProtectionsConfig } from '../config/sections/protections.ts'
import { readBounded } from '../policy/bounded-file.ts'
import { type Allows, type PropertyProtections, ProtectionError, readProtections } from './rules.ts'

const MAX_BYTES = 256 * 1024

/** The protections of the configuration, read once; undefined without a file. Throws `invalid_config`. */
export function openProtections(
  { file, ruleFormat }: ProtectionsConfig,
  allows: Allows,
): PropertyProtections | undefined {
  if (file === undefined) return undefined
  const { text } = readBounded(file, MAX_BYTES)
  try {
    return readProtections(text, ruleFormat, allows)
  } catch (error) {
    throw error instanceof ProtectionError ? refusal(file, error.message) : error
  }
}
