import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MULLION = fileURLToPath(new URL('../../src/mullion.ts', import.meta.url))

/** What `mullion doctor` finds, nothing being too young to be looked at but unfinished writes. */
export async function doctor(config: Readonly<Record<string, string>>): Promise<readonly unknown[]> {
  const args = ['--conditions=@mullion/source', MULLION, 'doctor', '--json', '--grace', '0s']
  const env = { PATH: process.env['PATH'] ?? '', ...config }
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) =>
    execFile(process.execPath, args, { env }, (_error, out, err) => resolve({ stdout: out, stderr: err })),
  )
  const lines = stdout.split('\n').filter((line) => line !== '')
  const said = lines.map((line) => JSON.parse(line) as { readonly kind: string })
  if (said.at(-1)?.kind !== 'summary') throw new Error(`doctor did not end: ${stdout}${stderr}`)
  return said.filter(({ kind }) => kind === 'finding')
}
