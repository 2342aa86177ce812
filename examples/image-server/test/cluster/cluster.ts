import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ServerProcess, start } from '../process/server-process.ts'

export interface ClusterOptions {
  readonly directory: string
  readonly databaseUrl: string
  /** One server after the other is killed and started again. */
  readonly killEveryMs: number
}

export interface Cluster {
  /** A server that runs, the same one for as long as it does. */
  urlOf(client: number): string
  urls(): readonly string[]
  /** What a server is configured with. */
  config(server: number): Readonly<Record<string, string>>
  /** No more kills; resolves with how many there were once all servers run. */
  calm(): Promise<number>
  stop(): Promise<void>
}

const SERVERS = 2

/** Servers with a data directory each, on one database and one store. */
export async function runCluster({ directory, databaseUrl, killEveryMs }: ClusterOptions): Promise<Cluster> {
  const config = (server: number): Record<string, string> => ({
    MULLION_DATA_DIR: join(directory, `server-${server}`),
    MULLION_STORES_FILE_DIR: join(directory, 'images'),
    MULLION_STORES_HTTP_ALLOW: '["127.0.0.1"]',
    MULLION_DATABASE_URL: databaseUrl,
    MULLION_DATABASE_LEASE: '3',
    MULLION_COPIES_POLL_INTERVAL: '0.2',
    MULLION_PIPELINE_FLAVOUR: 'trusted-auth',
    MULLION_LOG_LEVEL: 'warn',
  })
  const servers: ServerProcess[] = []
  for (let server = 0; server < SERVERS; server += 1) servers.push(await start(config(server)))
  const calming = new AbortController()
  const rest = () => sleep(killEveryMs, undefined, { signal: calming.signal }).catch(() => {})
  let kills = 0

  async function killInTurn(): Promise<void> {
    for (let turn = 0; ; turn += 1) {
      await rest()
      if (calming.signal.aborted) return
      const victim = turn % SERVERS
      servers[victim]?.kill('SIGKILL')
      await servers[victim]?.ended
      kills += 1
      servers[victim] = await start(config(victim))
    }
  }
  const killing = killInTurn()

  return {
    config,
    urls: () => servers.map(({ url }) => url),
    urlOf(client) {
      const preferred = servers[client % SERVERS]
      const running = preferred?.child.exitCode === null && preferred.child.signalCode === null
      return (running ? preferred : servers[(client + 1) % SERVERS])?.url ?? ''
    },
    async calm() {
      calming.abort()
      await killing
      return kills
    },
    async stop() {
      for (const server of servers) server.kill('SIGTERM')
      await Promise.all(servers.map(({ ended }) => ended))
    },
  }
}
