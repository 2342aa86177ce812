/** A Keystone, asked as its administrator. What was made is removed again. */
export interface RealKeystone {
  readonly url: string
  /** A token by password; without a project it is unscoped. */
  login(user: Login): Promise<string>
  /** A token by application credential. */
  loginBy(credential: Credential): Promise<string>
  /** The administrator's request; rejects what is no success. */
  ask(method: string, path: string, body?: object): Promise<Json>
  /** A user of its own with these roles in a project of its own. */
  makeUser(...roles: readonly string[]): Promise<Made>
  /** An application credential of the user. */
  makeCredential(user: Made, rules?: readonly object[]): Promise<Credential>
  revoke(token: string): Promise<void>
  remove(): Promise<void>
}

export interface Login {
  readonly name: string
  readonly password: string
  readonly scope?: object | undefined
}

export interface Credential {
  readonly id: string
  readonly secret: string
}

export interface Made extends Login {
  readonly id: string
  readonly projectId: string
  /** Gives or takes away a role in the project. */
  role(method: 'PUT' | 'DELETE', name: string): Promise<void>
}

// oxlint-disable-next-line typescript/no-explicit-any -- whatever Keystone answers
type Json = any

export async function realKeystone(url: string, admin: Login): Promise<RealKeystone> {
  const own = await login(url, admin)
  const made: string[] = []

  async function ask(method: string, path: string, body?: object, token: string = own): Promise<Json> {
    const headers = { 'x-auth-token': token, 'content-type': 'application/json' }
    const answer = await fetch(`${url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  async function roleId(name: string): Promise<string> {
    const { roles } = await ask('GET', `/roles?name=${name}`)
    if (roles.length > 0) return roles[0].id
    const { role } = await ask('POST', '/roles', { role: { name } })
    made.push(`/roles/${role.id}`)
    return role.id
  }

  return {
    url,
    ask,
    login: (user) => login(url, user),
    loginBy: ({ id, secret }) =>
      authenticate(url, { identity: { methods: ['application_credential'], application_credential: { id, secret } } }),
    async makeUser(...roles) {
      const name = `mullion-${crypto.randomUUID()}`
      const { project } = await ask('POST', '/projects', { project: { name, domain_id: 'default' } })
      made.push(`/projects/${project.id}`)
      const { user } = await ask('POST', '/users', { user: { name, password: name, domain_id: 'default' } })
      made.push(`/users/${user.id}`)
      const role = async (method: 'PUT' | 'DELETE', wanted: string): Promise<void> => {
        await ask(method, `/projects/${project.id}/users/${user.id}/roles/${await roleId(wanted)}`)
      }
      for (const wanted of roles) await role('PUT', wanted)
      const scope = { project: { id: project.id } }
      return { name, password: name, scope, id: user.id, projectId: project.id, role }
    },
    async makeCredential(user, rules) {
      const path = `/users/${user.id}/application_credentials`
      const wanted = { name: crypto.randomUUID(), ...(rules && { access_rules: rules }) }
      const { application_credential: credential } = await ask(
        'POST',
        path,
        { application_credential: wanted },
        await login(url, user),
      )
      // before its user: Keystone on SQLite would keep its roles, and the next credential of that number would have them
      made.push(`${path}/${credential.id}`)
      return credential
    },
    async revoke(token) {
      const headers = { 'x-auth-token': own, 'x-subject-token': token }
      const { status } = await fetch(`${url}/auth/tokens`, { method: 'DELETE', headers })
      if (status !== 204) throw new Error(`revoking: ${status}`)
    },
    async remove() {
      for (const path of made.toReversed()) await ask('DELETE', path)
    },
  }
}

function login(url: string, { name, password, scope }: Login): Promise<string> {
  const user = { name, password, domain: { id: 'default' } }
  return authenticate(url, { identity: { methods: ['password'], password: { user } }, ...(scope && { scope }) })
}

async function authenticate(url: string, auth: object): Promise<string> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${url}/auth/tokens`, { method: 'POST', headers, body: JSON.stringify({ auth }) })
  const token = answer.headers.get('x-subject-token')
  if (token === null) throw new Error(`login: ${answer.status} ${await answer.text()}`)
  return token
}
