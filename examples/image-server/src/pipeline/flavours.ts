/** What a request passes on its way to the API. */
export type Step = FrontStep | IdentityStep | ContextStep | 'cache' | 'cachemanage' | 'app'

/** Steps that serve every request, in the order that is configured. */
export type FrontStep = 'cors' | 'healthcheck' | 'http_proxy_to_wsgi' | 'gzip' | 'versionnegotiation'

/** Who checks identities: Keystone, a table of tokens, a proxy in front. */
export type IdentityStep = 'authtoken' | 'tokens' | 'trusted'

type ContextStep = 'context' | 'unauthenticated-context'

/** Every step, in an order that works. */
export const STEPS: readonly Step[] = [
  'cors',
  'healthcheck',
  'http_proxy_to_wsgi',
  'gzip',
  'versionnegotiation',
  'authtoken',
  'tokens',
  'trusted',
  'context',
  'unauthenticated-context',
  'cache',
  'cachemanage',
  'app',
]

export type Flavour =
  | ''
  | 'caching'
  | 'cachemanagement'
  | 'keystone'
  | 'keystone+caching'
  | 'keystone+cachemanagement'
  | 'trusted-auth'
  | 'trusted-auth+cachemanagement'
  | 'tokens'
  | 'tokens+caching'
  | 'tokens+cachemanagement'

const FRONT = ['cors', 'healthcheck', 'http_proxy_to_wsgi', 'versionnegotiation'] as const
const KEYSTONE = [...FRONT, 'authtoken', 'context'] as const
const TRUSTED = [...FRONT, 'trusted', 'context'] as const
const TOKENS = [...FRONT, 'tokens', 'context'] as const
const OPEN = [...FRONT, 'unauthenticated-context'] as const

/** The pipelines of glance-api-paste.ini by their names there, and those of `tokens`. */
export const FLAVOURS: Readonly<Record<Flavour, readonly Step[]>> = {
  '': [...OPEN, 'app'],
  caching: [...OPEN, 'cache', 'app'],
  cachemanagement: [...OPEN, 'cache', 'cachemanage', 'app'],
  keystone: [...KEYSTONE, 'app'],
  'keystone+caching': [...KEYSTONE, 'cache', 'app'],
  'keystone+cachemanagement': [...KEYSTONE, 'cache', 'cachemanage', 'app'],
  'trusted-auth': [...TRUSTED, 'app'],
  'trusted-auth+cachemanagement': [...TRUSTED, 'cache', 'cachemanage', 'app'],
  tokens: [...TOKENS, 'app'],
  'tokens+caching': [...TOKENS, 'cache', 'app'],
  'tokens+cachemanagement': [...TOKENS, 'cache', 'cachemanage', 'app'],
}
