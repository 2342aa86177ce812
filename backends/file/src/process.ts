import { createHash } from 'node:crypto'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { errnoOf } from './errors.ts'

/** Tells a process from every other, on this host and elsewhere, before and after a reboot. */
export interface ProcessIdentity {
  /** Of host name and pid namespace: containers of one machine count as different hosts. */
  readonly host: string
  readonly pid: number
  /** Of boot id and start time; zeros where the system does not tell. */
  readonly start: string
}

const UNKNOWN_START = '00000000'
const TOKEN = /^([0-9a-f]{8})-([1-9]\d{0,9})-([0-9a-f]{8})$/

export async function thisProcess(): Promise<ProcessIdentity> {
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '')
  const state = await stateOf(process.pid)
  return { host: digest(`${hostname()}\n${namespace}`), pid: process.pid, start: state?.start ?? UNKNOWN_START }
}

/** Whether the other process runs; undefined when it belongs to another host. */
export async function isRunning(other: ProcessIdentity, self: ProcessIdentity): Promise<boolean | undefined> {
  if (other.host !== self.host) return undefined
  try {
    process.kill(other.pid, 0)
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') return false
  }
  const state = await stateOf(other.pid)
  if (!state || other.start === UNKNOWN_START) return true
  return state.start === other.start && !state.ended
}

export function formatIdentity({ host, pid, start }: ProcessIdentity): string {
  return `${host}-${pid}-${start}`
}

export function parseIdentity(token: string): ProcessIdentity | undefined {
  const [, host, pid, start] = TOKEN.exec(token) ?? []
  return host === undefined || start === undefined ? undefined : { host, pid: Number(pid), start }
}

/** Undefined where there is no /proc, or it hides other users' processes. */
async function stateOf(pid: number): Promise<{ readonly start: string; readonly ended: boolean } | undefined> {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ])
    // proc_pid_stat(5): the name in parentheses may itself hold blanks and parentheses; state is field 3, starttime 22
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { start: digest(`${boot}\n${fields[19]}`), ended: fields[0] === 'Z' || fields[0] === 'X' }
  } catch {
    return undefined
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
