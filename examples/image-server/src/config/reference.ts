import { CONFIG_KEYS, type ConfigKey } from './keys.ts'

/** The reference page of all keys, as Markdown. `docs/configuration.md` is its output, and a test holds it to that. */
export function configReference(): string {
  return [INTRODUCTION, ...sections(), STORES].join('\n')
}

function sections(): string[] {
  const names = [...new Set(CONFIG_KEYS.map(sectionOf))]
  return names.map((name) => {
    const title = name === '' ? '## Top of the file' : `## [${name}]`
    const rows = CONFIG_KEYS.filter((key) => sectionOf(key) === name).map(row)
    return [
      title,
      '',
      ...(NOTES[name] ?? []),
      '| Key | Variable | Type | Default | Meaning |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
      '',
    ].join('\n')
  })
}

function sectionOf({ name }: ConfigKey): string {
  return name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : ''
}

function row(key: ConfigKey): string {
  const name = key.name.slice(key.name.lastIndexOf('.') + 1)
  const type = key.values ? key.values.map((value) => `\`"${value}"\``).join(', ') : TYPES[key.type]
  const fallback = key.fallback === undefined ? 'not set' : `\`${toml(key.fallback)}\``
  return `| \`${name}\` | \`${key.variable}\` | ${type}${key.secret ? ', secret' : ''} | ${fallback} | ${key.description} |`
}

function toml(value: unknown): string {
  return Array.isArray(value) ? `[${value.map((item) => JSON.stringify(item)).join(', ')}]` : JSON.stringify(value)
}

const TYPES = {
  string: 'text',
  integer: 'integer',
  number: 'number',
  boolean: 'boolean',
  array: 'list of text',
} as const

const NOTES: Readonly<Record<string, readonly string[]>> = {
  policy: ['Rules are written in the language of oslo.policy: see [who may do what](policies.md).', ''],
  protections: ['See [who may do what](policies.md#property-protections).', ''],
}

const INTRODUCTION = `# Configuration of the image server

The server reads a TOML file named by \`--config FILE\` or \`MULLION_CONFIG\`; without one, every key has its default.
An environment variable overrides its key: \`MULLION_\`, the section, the key, in capitals and joined by underscores.

- Keys nobody knows are refused, with the file or variable that has them. \`--check-config\` only checks.
- Lists in a variable are separated by commas, and a comma alone is an empty list; booleans are \`true\` or \`false\`; an empty variable counts as not set.
- A variable that begins with a section's name but names no key is refused. Other \`MULLION_\` variables are not the
  server's: it warns and goes on. (Kubernetes sets \`MULLION_PORT=tcp://…\` for a service called \`mullion\`: choose another
  name, or \`enableServiceLinks: false\`.)
- Durations are seconds, fractions allowed. Sizes are bytes. Relative paths start at the working directory.
- Secrets, and every text in a store's table, may be references: \`env:NAME\` is the variable NAME, \`file:PATH\` the content of
  a file without its last line break.
`

const STORES = `## [stores.NAME]

Each table is a store with a name of your choice (\`a-z\`, \`0-9\`, \`_\`, \`-\`), which is also what \`x-image-meta-store\` names.
\`file\` and \`http\` are there without being mentioned: uploads go below \`data_dir\`, and images can be registered at or copied
from web servers. Their tables change them, \`enabled = false\` leaves one out.

| Key | Variable | Type | Default | Meaning |
| --- | --- | --- | --- | --- |
| \`type\` | \`MULLION_STORES_NAME_TYPE\` | text | of \`file\` and \`http\`: their names | Plugin of the store: \`"file"\`, \`"gcs"\`, \`"http"\`, \`"rbd"\`, \`"s3"\`, \`"sftp"\`, \`"swift"\`. |
| \`enabled\` | \`MULLION_STORES_NAME_ENABLED\` | boolean | \`true\` | Whether the store is opened. |

All other keys are the plugin's own (see the README of its package), written with underscores: \`maxRedirects\` in its documentation is \`max_redirects\` here.
A variable such as \`MULLION_STORES_FAST_DIR\` sets a key of a store that the file names; its text is read as a TOML value
(\`true\`, \`8\`, \`["10.0.0.0/8"]\`) and is plain text when it is none.

\`\`\`toml
data_dir = "/var/lib/mullion"
default_store = "fast"

[limits]
image_size_cap = 53687091200

[stores.fast]
type = "file"
dir = "/srv/nvme/images"

[stores.http]
allow = ["10.20.0.0/16", "mirror.example:8080"]
\`\`\`

\`http\` reaches public addresses only, for registered images and for copies, redirects included. \`allow\` names the private
addresses and hosts that it may reach as well; everybody who may create images can then make the server ask them.
`
