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
  /** Who the client is, as options of the command line and as arguments of a Python session. Default: a token without meaning. */
  readonly user?: KeystoneUser
}

export interface KeystoneUser {
  readonly authUrl: string
  readonly user: string
  readonly password: string
  readonly project: string
}

/** The command line of python-glanceclient, speaking v1. Rejects, with what it said, when it exits with a failure. */
export async function glance(
  { client, python: interpreter, home, url, user }: Place,
  ...args: readonly string[]
): Promise<string> {
  const identity = user ? passwordOptions(user) : ['--os-auth-token', 'any']
  const always = ['--os-image-api-version', '1', '--os-image-url', url, ...identity]
  const command = ['-I', '-c', ON_TERMINAL, client, ...always, ...args]
  const { stdout } = await exec(interpreter, command, { env: clean(home), maxBuffer: MAX_BUFFER })
  return stdout
}

function passwordOptions({ authUrl, user, password, project }: KeystoneUser): readonly string[] {
  const names = ['--os-username', user, '--os-password', password, '--os-project-name', project]
  const domains = ['--os-user-domain-id', 'default', '--os-project-domain-id', 'default']
  return ['--os-auth-url', authUrl, ...names, ...domains]
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
  { python: interpreter, home, url, user }: Place,
  statements: string,
  ...args: readonly string[]
): Promise<T> {
  const { stdout } = await exec(
    interpreter,
    ['-I', '-c', `${PRELUDE}\n${statements}`, url, JSON.stringify(user ?? null), ...args],
    {
      env: clean(home),
      maxBuffer: MAX_BUFFER,
    },
  )
  return JSON.parse(stdout) as T
}

const PRELUDE = `
import hashlib, json, sys, time
from glanceclient import exc
from glanceclient.v1.client import Client
who = json.loads(sys.argv[2])
if who:
    from keystoneauth1 import session
    from keystoneauth1.identity import v3
    auth = v3.Password(auth_url=who['authUrl'], username=who['user'], password=who['password'], project_name=who['project'],
                       user_domain_id='default', project_domain_id='default')
    client = Client(session=session.Session(auth=auth), endpoint_override=sys.argv[1])
else:
    client = Client(sys.argv[1], token='any')
args = sys.argv[3:]
def answer(value): print(json.dumps(value))
def record(image): return image.to_dict()
`

function clean(home: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '', HOME: home, LC_ALL: 'C.UTF-8', NO_PROXY: '*' }
}
