/** The oldest Node that has what the server imports: `node:sqlite` without a flag (Node 22.13). */
const OLDEST = [22, 13] as const

/**
 * Why this version of Node cannot run the server, undefined when it can. Imports nothing, so that it can be asked
 * before modules are loaded that an old Node fails on.
 */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined
  return `mullion-image-server needs Node ${OLDEST.join('.')} or newer; this is Node ${version}`
}
