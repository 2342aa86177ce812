import type { Settings } from './config.ts'
import { refused } from './errors.ts'
import type { SftpLocation } from './location.ts'

/** What the store may touch: the files right in its root whose names do not start with a dot. */
export interface Area {
  owns(at: SftpLocation): boolean
  /** The path on the server. Throws `invalid_location` for what the store does not own. */
  pathOf(at: SftpLocation): string
  /** Where an object of this name lies. */
  at(name: string): SftpLocation
  /** The path of a file in the root. */
  join(name: string): string
}

export function area({ user, host, port, root }: Settings): Area {
  const prefix = root === '/' ? '/' : `${root}/`
  // a location without a user is that of whoever the store logs in as
  const owns = (at: SftpLocation): boolean =>
    at.host === host && at.port === port && (at.user ?? user) === user && isName(at.path, prefix)
  return {
    owns,
    pathOf(at) {
      if (!owns(at)) throw refused('not a file in the directory of the store')
      return at.path
    },
    at: (name) => ({ user, host, port, path: `${prefix}${name}` }),
    join: (name) => `${prefix}${name}`,
  }
}

/** By the text alone: below a directory the server could follow a symbolic link out of the root. */
function isName(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && /^[^./\0][^/\0]*$/.test(path.slice(prefix.length))
}
