import { type ColumnDefinitionBuilder, type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { SchemaWords } from '../engine.ts'
import { index } from './tables.ts'
import { TIME_LENGTH } from '../values.ts'

/** The tables of OpenStack Glance (glance/db/sqlalchemy/models.py) with `visibility`, and what README.md lists. */
export function initial(words: SchemaWords): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await createImages(db, words)
      await createProperties(db, words)
      await createTags(db, words)
      await createLocations(db, words)
      await createMembers(db, words)
      await createTasks(db, words)
    },
  }
}

async function createImages(db: Kysely<unknown>, words: SchemaWords): Promise<void> {
  await withLifetime(db.schema.createTable('images'), words)
    .addColumn('id', sql.raw(words.varchar(36)), (column) => column.primaryKey())
    .addColumn('id_key', sql.raw(words.varchar(36)), (column) => column.notNull().unique())
    .addColumn('name', sql.raw(words.varchar(255)))
    .addColumn('status', sql.raw(words.varchar(30)), required)
    .addColumn('status_reason', sql.raw(words.text))
    .addColumn('hidden', 'integer', required)
    .addColumn('visibility', sql.raw(words.varchar(20)), required)
    .addColumn('owner', sql.raw(words.varchar(255)))
    .addColumn('size', 'bigint')
    .addColumn('virtual_size', 'bigint')
    .addColumn('checksum', sql.raw(words.varchar(32)))
    .addColumn('os_hash_algo', sql.raw(words.varchar(64)))
    .addColumn('os_hash_value', sql.raw(words.varchar(128)))
    .addColumn('disk_format', sql.raw(words.varchar(20)))
    .addColumn('container_format', sql.raw(words.varchar(20)))
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

async function createProperties(db: Kysely<unknown>, words: SchemaWords): Promise<void> {
  await child(db, 'image_properties', words)
    .addColumn('name', sql.raw(words.varchar(255)), required)
    .addColumn('value', sql.raw(words.text))
    .execute()
  await index(db, 'image_properties', 'ix_image_properties_image_id_name', ['image_id', 'name'], true)
}

async function createTags(db: Kysely<unknown>, words: SchemaWords): Promise<void> {
  await child(db, 'image_tags', words)
    .addColumn('value', sql.raw(words.varchar(255)), required)
    .execute()
  await index(db, 'image_tags', 'ix_image_tags_image_id_tag_value', ['image_id', 'value'], true)
}

async function createLocations(db: Kysely<unknown>, words: SchemaWords): Promise<void> {
  await child(db, 'image_locations', words)
    .addColumn('position', 'integer', required)
    .addColumn('value', sql.raw(words.text), required)
    .addColumn('meta_data', sql.raw(words.text), required)
    .addColumn('status', sql.raw(words.varchar(30)), required)
    .execute()
  await index(db, 'image_locations', 'ix_image_locations_image_id', ['image_id', 'deleted', 'position'])
  await index(db, 'image_locations', 'ix_image_locations_status', ['status', 'deleted', 'image_id'])
}

async function createMembers(db: Kysely<unknown>, words: SchemaWords): Promise<void> {
  await child(db, 'image_members', words)
    .addColumn('member', sql.raw(words.varchar(255)), required)
    .addColumn('can_share', 'integer', required)
    .addColumn('status', sql.raw(words.varchar(20)), required)
    .execute()
  await index(db, 'image_members', 'ix_image_members_image_id_member', ['image_id', 'member'], true)
  await index(db, 'image_members', 'ix_image_members_member', ['member', 'deleted', 'image_id'])
}

async function createTasks(db: Kysely<unknown>, words: SchemaWords): Promise<void> {
  await db.schema
    .createTable('tasks')
    .modifyEnd(sql.raw(words.tableEnd))
    .addColumn('seq', words.autoId.type, words.autoId.define)
    .addColumn('id', sql.raw(words.varchar(36)), (column) => column.notNull().unique())
    .addColumn('kind', sql.raw(words.varchar(20)), required)
    .addColumn('image_id', sql.raw(words.varchar(36)), required)
    .addColumn('payload', sql.raw(words.text))
    .addColumn('status', sql.raw(words.varchar(20)), required)
    .addColumn('worker', sql.raw(words.varchar(255)))
    .addColumn('message', sql.raw(words.text))
    .addColumn('created_at', sql.raw(words.varchar(TIME_LENGTH)), required)
    .addColumn('started_at', sql.raw(words.varchar(TIME_LENGTH)))
    .addColumn('finished_at', sql.raw(words.varchar(TIME_LENGTH)))
    .execute()
  await index(db, 'tasks', 'ix_tasks_status', ['status', 'seq'])
  await index(db, 'tasks', 'ix_tasks_finished_at', ['finished_at', 'seq'])
}

function child(db: Kysely<unknown>, table: string, words: SchemaWords): CreateTableBuilder<string, string> {
  return withLifetime(db.schema.createTable(table), words)
    .addColumn('id', words.autoId.type, words.autoId.define)
    .addColumn('image_id', sql.raw(words.varchar(36)), required)
    .addForeignKeyConstraint(`fk_${table}_image_id`, ['image_id'], 'images', ['id'])
}

function withLifetime(table: CreateTableBuilder<string>, words: SchemaWords): CreateTableBuilder<string, string> {
  return table
    .modifyEnd(sql.raw(words.tableEnd))
    .addColumn('created_at', sql.raw(words.varchar(TIME_LENGTH)), required)
    .addColumn('updated_at', sql.raw(words.varchar(TIME_LENGTH)), required)
    .addColumn('deleted_at', sql.raw(words.varchar(TIME_LENGTH)))
    .addColumn('deleted', 'integer', (column) => column.notNull().defaultTo(0))
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}
