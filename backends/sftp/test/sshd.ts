import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Service } from './support.ts'

export interface Sshd {
  readonly port: number
  /** Ends the server and every session of it at once. */
  kill(): Promise<void>
}

export interface SshdOptions {
  /** Of internal-sftp, such as `-P hardlink`. */
  readonly subsystem?: string
  /** `ssh-keygen -t` of its host key. Default `ed25519`. */
  readonly hostKey?: 'ed25519' | 'rsa' | 'ecdsa'
  /** Lines of sshd_config(5) in front of the others: the first value of a keyword counts. */
  readonly lines?: readonly string[]
}

/** An sshd of the test's own, with the login and the keys of the service. */
export async function startSshd(
  { SFTP_USER, SFTP_KNOWN_HOSTS }: Service,
  { subsystem = '', hostKey = 'ed25519', lines = [] }: SshdOptions = {},
): Promise<Sshd> {
  const keys = dirname(SFTP_KNOWN_HOSTS)
  const port = await freePort()
  const config = join(tmpdir(), `mullion-sshd-${randomUUID()}`)
  writeFileSync(
    config,
    [
      ...lines,
      'ListenAddress 127.0.0.1',
      `Port ${port}`,
      `HostKey ${join(keys, `host_${hostKey}`)}`,
      'PidFile none',
      `AllowUsers ${SFTP_USER}`,
      `AuthorizedKeysFile ${join(keys, 'authorized_keys')}`,
      'StrictModes no',
      'UsePAM no',
      'PermitTTY no',
      'UseDNS no',
      `Subsystem sftp internal-sftp ${subsystem}`,
      `ForceCommand internal-sftp ${subsystem}`,
      '',
    ].join('\n'),
  )
  // a group of its own, which its sessions leave: they are found by their parent
  const server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: 'ignore' })
  await answers(port)
  return {
    port,
    async kill() {
      rmSync(config)
      const over = once(server, 'exit')
      for (const pid of [...(await descendants(server)), server.pid ?? 0]) killed(pid)
      await over
    },
  }
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended by itself
  }
}

async function descendants({ pid = 0 }: ChildProcess): Promise<number[]> {
  const listing = spawn('ps', ['-eo', 'pid=,ppid='])
  let text = ''
  for await (const chunk of listing.stdout) text += String(chunk)
  const pairs = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const below = (parent: number): number[] =>
    pairs.flatMap(([child = 0, its]) => (its === parent ? [child, ...below(child)] : []))
  return below(pid)
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}

/** Waits for the greeting of a server. */
export async function answers(port: number): Promise<void> {
  const until = performance.now() + 10_000
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'data')
      return
    } catch (error) {
      if (performance.now() > until) throw error
      await new Promise((resolve) => {
        setTimeout(resolve, 50)
      })
    } finally {
      socket.destroy()
    }
  }
}
