import {
  configFor,
  ENV,
  makeDirectory,
  removeDirectory,
  type Service as Sshd,
} from '../../../../backends/sftp/test/support.ts'
import type { Command } from '../measure.ts'
import type { Place, Service, Setup, Tool } from '../service.ts'
import { mullion, opendal, rclone } from '../tools.ts'

export const sftp: Service = {
  name: 'sftp',
  env: ENV,
  script: 'sftp.sh',
  async open(setup) {
    const service = setup.settings as Sshd
    return {
      tools: [
        ...mullion(setup, 'sftp', (directory) => ({ ...configFor(service, directory) })),
        ...(await openssh(setup, service)),
        ...(await rclone(setup, {
          type: 'sftp',
          host: service.SFTP_HOST,
          port: service.SFTP_PORT,
          user: service.SFTP_USER,
          key_file: service.SFTP_PRIVATE_KEY,
          known_hosts_file: service.SFTP_KNOWN_HOSTS,
          shell_type: 'none',
        })),
        ...(await opendal(setup, 'sftp', () => ({}))),
      ],
      async place(): Promise<Place> {
        const name = makeDirectory(service)
        return { name, [Symbol.asyncDispose]: async () => removeDirectory(name) }
      },
    }
  },
}

async function openssh({ peers }: Setup, service: Sshd): Promise<readonly Tool[]> {
  const args = ['-q', '-b', '-', '-F', '/dev/null', '-o', `UserKnownHostsFile=${service.SFTP_KNOWN_HOSTS}`]
  const login = ['-i', service.SFTP_PRIVATE_KEY, '-P', service.SFTP_PORT, `${service.SFTP_USER}@${service.SFTP_HOST}`]
  return (await peers.find('sftp', ['ssh', '-V'])).map(({ path, label }) => {
    const batch = (line: string): Command => ({ program: path, args: [...args, ...login], input: `${line}\n` })
    return {
      name: label,
      // -f flushes the file to the disk, as mullion does
      add: ({ place, key, file }) => batch(`put -f ${file} ${place}/${key}`),
      get: ({ place, key, file }) => batch(`get ${place}/${key} ${file}`),
    }
  })
}
