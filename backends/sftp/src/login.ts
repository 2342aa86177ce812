import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import ssh2, { type AnyAuthMethod, type ParsedKey } from 'ssh2'
import type { Settings } from './config.ts'
import { badConfig } from './errors.ts'

/** Ways to log in, in the order to try them. The private key is read and decrypted once. Rejects `invalid_config`. */
export async function logins(settings: Settings): Promise<readonly AnyAuthMethod[]> {
  const { user: username, password, privateKey, passphrase, agent } = settings
  const methods: AnyAuthMethod[] = []
  if (privateKey !== undefined) {
    methods.push({ type: 'publickey', username, key: await keyOf(privateKey, passphrase) })
  }
  if (agent !== undefined) methods.push({ type: 'agent', username, agent })
  if (password !== undefined) {
    methods.push({ type: 'password', username, password })
    // servers that leave passwords to PAM often offer nothing else
    methods.push({
      type: 'keyboard-interactive',
      username,
      prompt: (_name, _instructions, _language, prompts, answer) =>
        answer(prompts.map(({ echo }) => (echo === true ? '' : password))),
    })
  }
  return methods
}

/**
 * Without an ssh-agent that does not answer, unless it is the only way: ssh2-sftp-client gives up at its error, though
 * ssh2 would go on to the next way. Rejects with the reason of `signal`.
 */
export async function usable(
  methods: readonly AnyAuthMethod[],
  signal: AbortSignal,
): Promise<readonly AnyAuthMethod[]> {
  const method = methods.find(({ type }) => type === 'agent')
  if (methods.length === 1 || !(method && 'agent' in method) || typeof method.agent !== 'string') return methods
  const isThere = await answers(method.agent, signal)
  signal.throwIfAborted()
  return isThere ? methods : methods.filter((each) => each !== method)
}

/** draft-miller-ssh-agent-04 §4.4 and §6.1: SSH_AGENTC_REQUEST_IDENTITIES, SSH_AGENT_IDENTITIES_ANSWER. */
const REQUEST = Buffer.from([0, 0, 0, 1, 11])
const ANSWER = 12
/** It lists keys that it holds in memory. */
const AGENT_MS = 2000

function answers(path: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    let head = Buffer.alloc(0)
    const socket = connect({ path, signal })
    socket.setTimeout(AGENT_MS, () => socket.destroy())
    socket.on('error', () => {}) // `close` follows
    socket.on('data', (chunk) => {
      head = Buffer.concat([head, chunk])
      if (head.length > REQUEST.length - 1) socket.destroy()
    })
    socket.once('close', () => resolve(head[REQUEST.length - 1] === ANSWER))
    socket.write(REQUEST)
  })
}

async function keyOf(privateKey: string, passphrase: string | undefined): Promise<ParsedKey> {
  const isText = privateKey.includes('-----BEGIN') || privateKey.startsWith('PuTTY-User-Key-File')
  const text = isText ? privateKey : await readFile(privateKey, 'utf8').catch(unreadable)
  const parsed: unknown = ssh2.utils.parseKey(text, passphrase)
  const key = (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey | Error // OpenSSH's format could hold several
  if (key instanceof Error) throw badConfig(`privateKey: ${key.message}`)
  if (!key.isPrivateKey()) throw badConfig('privateKey: this is a public key')
  return key
}

function unreadable(error: unknown): never {
  throw badConfig(`privateKey: cannot read the file: ${String((error as { code?: unknown }).code)}`)
}
