import { type ColumnDefinitionBuilder, type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { Engine } from '../engine.ts'

const TIME = 'varchar(24)'

/** The tables of OpenStack Glance (glance/db/sqlalchemy/models.py) with `visibility`, and what README.md lists. */
export function initial({ autoId }: Engine): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await createImages(db)
      await createProperties(db, autoId)
      await createTags(db, autoId)
      await createLocations(db, autoId)
      await createMembers(db, autoId)
      await createTasks(db, autoId)
    },
  }
}

async function createImages(db: Kysely<unknown>): Promise<void> {
  await withLifetime(db.schema.createTable('images'))
    .addColumn('id', 'varchar(36)', (column) => column.primaryKey())
    .addColumn('id_key', 'varchar(36)', (column) => column.notNull().unique())
    .addColumn('name', 'varchar(255)')
    .addColumn('status', 'varchar(30)', required)
    .addColumn('status_reason', 'text')
    .addColumn('hidden', 'integer', required)
    .addColumn('visibility', 'varchar(20)', required)
    .addColumn('owner', 'varchar(255)')
    .addColumn('size', 'bigint')
    .addColumn('virtual_size', 'bigint')
    .addColumn('checksum', 'varchar(32)')
    .addColumn('os_hash_algo', 'varchar(64)')
    .addColumn('os_hash_value', 'varchar(128)')
    .addColumn('disk_format', 'varchar(20)')
    .addColumn('container_format', 'varchar(20)')
    .addColumn('min_disk', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('min_ram', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('protected', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await index(db, 'images', 'checksum_image_idx', ['checksum'])
  await index(db, 'images', 'created_at_image_idx', ['hidden', 'created_at', 'id'])
  await index(db, 'images', 'visibility_image_idx', ['visibility', 'hidden', 'created_at', 'id'])
  await index(db, 'images', 'owner_image_idx', ['owner', 'hidden', 'created_at', 'id'])
  await index(db, 'images', 'status_image_idx', ['status', 'hidden', 'created_at', 'id'])
  await index(db, 'images', 'updated_at_image_idx', ['hidden', 'updated_at', 'created_at', 'id'])
}

async function createProperties(db: Kysely<unknown>, autoId: Engine['autoId']): Promise<void> {
  await child(db, 'image_properties', autoId)
    .addColumn('name', 'varchar(255)', required)
    .addColumn('value', 'text')
    .execute()
  await index(db, 'image_properties', 'ix_image_properties_image_id_name', ['image_id', 'name'], true)
}

async function createTags(db: Kysely<unknown>, autoId: Engine['autoId']): Promise<void> {
  await child(db, 'image_tags', autoId).addColumn('value', 'varchar(255)', required).execute()
  await index(db, 'image_tags', 'ix_image_tags_image_id_tag_value', ['image_id', 'value'], true)
}

async function createLocations(db: Kysely<unknown>, autoId: Engine['autoId']): Promise<void> {
  await child(db, 'image_locations', autoId)
    .addColumn('position', 'integer', required)
    .addColumn('value', 'text', required)
    .addColumn('meta_data', 'text', required)
    .addColumn('status', 'varchar(30)', required)
    .execute()
  await index(db, 'image_locations', 'ix_image_locations_image_id', ['image_id', 'deleted', 'position'])
  await index(db, 'image_locations', 'ix_image_locations_status', ['status', 'deleted', 'image_id'])
}

async function createMembers(db: Kysely<unknown>, autoId: Engine['autoId']): Promise<void> {
  await child(db, 'image_members', autoId)
    .addColumn('member', 'varchar(255)', required)
    .addColumn('can_share', 'integer', required)
    .addColumn('status', 'varchar(20)', required)
    .execute()
  await index(db, 'image_members', 'ix_image_members_image_id_member', ['image_id', 'member'], true)
  await index(db, 'image_members', 'ix_image_members_member', ['member', 'deleted', 'image_id'])
}

async function createTasks(db: Kysely<unknown>, autoId: Engine['autoId']): Promise<void> {
  await db.schema
    .createTable('tasks')
    .addColumn('seq', autoId.type, autoId.define)
    .addColumn('id', 'varchar(36)', (column) => column.notNull().unique())
    .addColumn('kind', 'varchar(20)', required)
    .addColumn('image_id', 'varchar(36)', required)
    .addColumn('payload', 'text')
    .addColumn('status', 'varchar(20)', required)
    .addColumn('worker', 'varchar(255)')
    .addColumn('message', 'text')
    .addColumn('created_at', sql.raw(TIME), required)
    .addColumn('started_at', sql.raw(TIME))
    .addColumn('finished_at', sql.raw(TIME))
    .execute()
  await index(db, 'tasks', 'ix_tasks_status', ['status', 'seq'])
  await index(db, 'tasks', 'ix_tasks_finished_at', ['finished_at', 'seq'])
}

function child(db: Kysely<unknown>, table: string, autoId: Engine['autoId']): CreateTableBuilder<string, string> {
  return withLifetime(db.schema.createTable(table))
    .addColumn('id', autoId.type, autoId.define)
    .addColumn('image_id', 'varchar(36)', (column) => column.notNull().references('images.id'))
}

function withLifetime(table: CreateTableBuilder<string>): CreateTableBuilder<string, string> {
  return table
    .addColumn('created_at', sql.raw(TIME), required)
    .addColumn('updated_at', sql.raw(TIME), required)
    .addColumn('deleted_at', sql.raw(TIME))
    .addColumn('deleted', 'integer', (column) => column.notNull().defaultTo(0))
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}

async function index(
  db: Kysely<unknown>,
  table: string,
  name: string,
  columns: readonly string[],
  unique: boolean = false,
): Promise<void> {
  const builder = db.schema
    .createIndex(name)
    .on(table)
    .columns([...columns])
  await (unique ? builder.unique() : builder).execute()
}
