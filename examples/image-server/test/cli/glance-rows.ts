import { createCipheriv, randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'

const LIFETIME =
  'created_at datetime not null, updated_at datetime, deleted_at datetime, deleted boolean not null default 0'
const CHILD = `id integer primary key, image_id varchar(36) not null, ${LIFETIME}`

/** Glance's tables as in its releases Newton (`is_public`) and Ocata and later (`visibility`): glance/db/sqlalchemy/models.py. */
export function glanceDatabase(file: string, release: 'newton' | 'current'): DatabaseSync {
  const database = new DatabaseSync(file)
  const own =
    release === 'newton'
      ? 'is_public boolean not null default 0'
      : `visibility varchar(9) not null default 'shared', os_hidden boolean not null default 0, os_hash_algo varchar(64),
         os_hash_value varchar(128)`
  database.exec(`
    create table images (id varchar(36) primary key, name varchar(255), disk_format varchar(20),
      container_format varchar(20), size integer, virtual_size integer, status varchar(30) not null, checksum varchar(32),
      min_disk integer not null default 0, min_ram integer not null default 0, owner varchar(255),
      protected boolean not null default 0, ${own}, ${LIFETIME});
    create table image_properties (${CHILD}, name varchar(255) not null, value text);
    create table image_members (${CHILD}, member varchar(255) not null, can_share boolean not null default 0,
      status varchar(20) not null default 'pending');
    create table image_tags (${CHILD}, value varchar(255) not null);
    create table image_locations (${CHILD}, value text not null, meta_data text, status varchar(30) not null default 'active')`)
  return database
}

type Values = Readonly<Record<string, string | number | null>>

/** Adds a row, created at a time with microseconds as Glance writes them. */
export function addRow(database: DatabaseSync, table: string, values: Values): void {
  const row = { created_at: '2016-11-22 08:23:58.800343', updated_at: '2016-11-23 00:00:00', ...values }
  const names = Object.keys(row)
  const places = names.map(() => '?').join(', ')
  database.prepare(`insert into ${table} (${names.join(', ')}) values (${places})`).run(...Object.values(row))
}

/** As glance/common/crypt.py does. */
export function encrypted(key: string, text: string): string {
  const plain = Buffer.from(text)
  const padding = Buffer.from(randomBytes(64 - (plain.length % 64)).map((octet) => octet || 1))
  padding[0] = 0
  const iv = randomBytes(16)
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, iv).setAutoPadding(false)
  const sealed = Buffer.concat([iv, cipher.update(Buffer.concat([plain, padding])), cipher.final()]).toString('base64')
  return sealed.replaceAll('+', '-').replaceAll('/', '_') // Python keeps the padding
}
