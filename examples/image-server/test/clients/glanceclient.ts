import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const MAX_BUFFER = 64 * 1024 * 1024

/** Where the client is, its HOME (it keeps caches there), and the server it is to talk to. */
export interface Place {
  readonly client: string
  readonly python: string
  readonly home: string
  readonly url: string
}

/** The command line of python-glanceclient, speaking v1. Rejects, with what it said, when it exits with a failure. */
export async function glance(
  { client, python: interpreter, home, url }: Place,
  ...args: readonly string[]
): Promise<string> {
  const always = ['--os-image-api-version', '1', '--os-image-url', url, '--os-auth-token', 'any']
  const command = ['-I', '-c', ON_TERMINAL, client, ...always, ...args]
  const { stdout } = await exec(interpreter, command, { env: clean(home), maxBuffer: MAX_BUFFER })
  return stdout
}

/** The client takes standard input for the data of an image, /dev/null too, unless it is a terminal. */
const ON_TERMINAL = `
import pty, subprocess, sys
sys.exit(subprocess.run(sys.argv[1:], stdin=pty.openpty()[1]).returncode)`

/** Rows of the tables that the command line prints, header included, cells trimmed. */
export function cells(table: string): string[][] {
  const rows = table.split('\n').filter((line) => line.startsWith('|'))
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** Runs statements with `client`, a v1 client, and `args`; what they give to `answer` comes back. */
export async function python<T>(
  { python: interpreter, home, url }: Place,
  statements: string,
  ...args: readonly string[]
): Promise<T> {
  const { stdout } = await exec(interpreter, ['-I', '-c', `${PRELUDE}\n${statements}`, url, ...args], {
    env: clean(home),
    maxBuffer: MAX_BUFFER,
  })
  return JSON.parse(stdout) as T
}

const PRELUDE = `
import hashlib, json, sys, time
from glanceclient import exc
from glanceclient.v1.client import Client
client = Client(sys.argv[1], token='any')
args = sys.argv[2:]
def answer(value): print(json.dumps(value))
def record(image): return image.to_dict()
`

function clean(home: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '', HOME: home, LC_ALL: 'C.UTF-8', NO_PROXY: '*' }
}
