import type { Command } from 'commander'

interface ServeOptions {
  readonly config?: string
  readonly checkConfig: boolean
}

type Run = (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>

/** The programs that stay: they handle signals and errors themselves. */
export function addServers(program: Command, env: NodeJS.ProcessEnv, ended: (exitCode: number) => void): void {
  const add = (name: string, summary: string, load: () => Promise<Run>): void => {
    program
      .command(name)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}. Until SIGTERM or SIGINT.`)
      .option('-c, --config <file>', 'TOML file (or MULLION_CONFIG)')
      .option('--check-config', 'only check the configuration', false)
      .action(async ({ config, checkConfig }: ServeOptions) => {
        const run = await load()
        const args = [...(config === undefined ? [] : ['--config', config]), ...(checkConfig ? ['--check-config'] : [])]
        ended(await run(args, env))
      })
  }
  add('serve', 'serve images: the same as mullion-image-server', async () => (await import('../server/run.ts')).run)
  add('registry', 'serve records: the same as mullion-registry', async () => (await import('../registry/run.ts')).run)
}
