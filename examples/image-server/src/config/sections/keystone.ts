import { z } from 'zod'
import { names, seconds } from './values.ts'

export interface KeystoneConfig {
  readonly url?: string | undefined
  readonly publicUrl?: string | undefined
  readonly ca?: string | undefined
  readonly timeout: number
  readonly user?: string | undefined
  readonly userId?: string | undefined
  readonly userDomain?: string | undefined
  readonly userDomainId?: string | undefined
  readonly password?: string | undefined
  readonly project?: string | undefined
  readonly projectId?: string | undefined
  readonly projectDomain?: string | undefined
  readonly projectDomainId?: string | undefined
  readonly applicationCredentialId?: string | undefined
  readonly applicationCredentialName?: string | undefined
  readonly applicationCredentialSecret?: string | undefined
  readonly serviceType: string
  readonly serviceTokenRoles: readonly string[]
  readonly tokenCacheTime: number
  readonly tokenCacheSize: number
}

const text = () => z.string().min(1).optional()
const url = () => z.url({ protocol: /^https?$/, error: 'expected an http or https URL' }).optional()

export const keystone: z.ZodType<KeystoneConfig> = z.strictObject({
  url: url().describe('URL of Keystone for this server, such as `https://keystone.example:5000/v3`.'),
  publicUrl: url().describe('URL of Keystone for clients, for `WWW-Authenticate`. Not set: `url`.'),
  ca: text().describe('File of authorities for the certificate of Keystone, beside the usual ones.'),
  timeout: seconds().min(0.1).default(10).describe('Seconds for one question to Keystone, answer included.'),
  user: text().describe('Name of the user that this server validates tokens as.'),
  userId: text().describe('Its id, in place of the name.'),
  userDomain: text().describe('Name of the domain of the user.'),
  userDomainId: text().describe('Id of the domain of the user. Not set: `default`, unless `user_domain` is.'),
  password: text().describe('Password of the user.').meta({ secret: true }),
  project: text().describe('Name of the project that the user acts in.'),
  projectId: text().describe('Its id, in place of the name.'),
  projectDomain: text().describe('Name of the domain of the project.'),
  projectDomainId: text().describe('Id of the domain of the project. Not set: `default`, unless `project_domain` is.'),
  applicationCredentialId: text().describe('An application credential in place of password and project.'),
  applicationCredentialName: text().describe('Its name, with `user`, in place of the id.'),
  applicationCredentialSecret: text().describe('Its secret.').meta({ secret: true }),
  serviceType: z
    .string()
    .min(1)
    .default('image')
    .describe('Type of this service in the catalog, as access rules name it.'),
  serviceTokenRoles: names(1)
    .default(['service'])
    .describe(
      'A token in `X-Service-Token` counts if it has one of these roles; a user token beside it may have expired.',
    ),
  tokenCacheTime: seconds()
    .default(60)
    .describe(
      'Seconds for which a validated token is not validated again, and so a revoked one may go on working; 0 for never.',
    ),
  tokenCacheSize: z.int().min(1).max(1_000_000).default(4096).describe('Validated tokens that are remembered at most.'),
})
