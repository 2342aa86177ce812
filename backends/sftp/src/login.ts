import { readFile } from 'node:fs/promises'
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
