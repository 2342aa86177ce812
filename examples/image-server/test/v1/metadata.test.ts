import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { type Metadata, readMetadata } from '../../src/v1/metadata.ts'
import { SETTINGS } from './server.ts'

function read(headers: Record<string, string>): Metadata {
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const request = { rawHeaders: Object.entries(headers).flat(), headers: lower } as unknown as IncomingMessage
  return readMetadata(request, SETTINGS)
}

const meta = (fields: Record<string, string>): Metadata =>
  read(Object.fromEntries(Object.entries(fields).map(([name, value]) => [`x-image-meta-${name}`, value])))

describe('typed fields (Images v1 §6.2)', () => {
  it.each([
    ['7', 7],
    [' 7\t', 7],
    ['007', 7],
    ['-0', 0],
    ['+1', 1],
  ])('reads the integer %j', (text, value) => {
    expect(meta({ size: text }).size).toBe(value)
  })

  it.each(['', 'x', '1e9', '0x10', '1.0', '1 2', '1_000', 'None'])('refuses the size %j', (text) => {
    const expected = `Invalid value '${text}' for parameter 'size': Cannot convert image size '${text}' to an integer.`
    expect(() => meta({ size: text })).toThrow(expected)
  })

  it.each(['size', 'min_disk', 'min_ram', 'virtual_size'])('refuses a negative %s', (field) => {
    expect(() => meta({ [field]: '-1' })).toThrow(
      `Invalid value '-1' for parameter '${field}': Cannot be a negative value.`,
    )
  })

  it.each(['min_disk', 'min_ram'])('refuses a %s of more than 31 bits', (field) => {
    expect(() => meta({ [field]: '2147483648' })).toThrow(`'${field}' value out of range, must not exceed 2147483647.`)
    expect(() => meta({ [field]: '2147483647' })).not.toThrow()
  })

  it.each(['', 'None'])('takes a virtual size of %j for none', (text) => {
    expect(meta({ virtual_size: text }).virtualSize).toBeNull()
  })

  it.each(['1', 't', 'True', ' on ', 'Y', 'yes'])('takes %j for true', (text) => {
    expect(meta({ is_public: text, protected: text })).toMatchObject({ isPublic: true, protected: true })
  })

  it.each(['', '0', 'None', 'enabled', 'junk', '2'])('takes %j for false', (text) => {
    expect(meta({ is_public: text, protected: text })).toMatchObject({ isPublic: false, protected: false })
  })

  it('counts code points, not octets, of texts', () => {
    expect(() => meta({ name: Buffer.from('🚀'.repeat(255)).toString('latin1') })).not.toThrow()
    expect(() => meta({ name: 'n'.repeat(256) })).toThrow('Image name too long: 256')
    expect(() => meta({ checksum: 'c'.repeat(33) })).toThrow(
      `Invalid checksum '${'c'.repeat(33)}': can't exceed 32 characters`,
    )
    expect(() => meta({ checksum: 'short' })).not.toThrow()
    expect(() => meta({ owner: 'o'.repeat(256) })).toThrow('owner')
    expect(() => meta({ [`property-${'p'.repeat(256)}`]: '1' })).toThrow('property name')
  })

  it.each(['created_at', 'updated_at', 'deleted_at'])('checks %s and forgets it', (field) => {
    for (const good of [
      '',
      '2016-11-22',
      '2016-11-22T08:13:22.349181',
      '2016-11-22T08:13:22Z',
      '1900-01-01 00:00+01:00',
    ]) {
      expect(() => meta({ [field]: good })).not.toThrow()
    }
    for (const bad of ['now', '1899-12-31', '2016-02-30', '2016-13-01', '2016-11-22T25:00:00']) {
      expect(() => meta({ [field]: bad })).toThrow(`Invalid time format for ${field}.`)
    }
  })
})

describe('formats (§6.4)', () => {
  it.each([
    [{ disk_format: 'RAW' }, "Invalid disk format 'RAW' for image."],
    [{ disk_format: '' }, "Invalid disk format 'None' for image."],
    [{ container_format: 'zip' }, "Invalid container format 'zip' for image."],
    [{ container_format: '' }, "Invalid container format 'None' for image."],
    [{ disk_format: 'ami', container_format: 'bare' }, 'Invalid mix of disk and container formats.'],
    [{ disk_format: 'aki', container_format: 'ari' }, 'Invalid mix of disk and container formats.'],
  ])('refuses %j', (fields, text) => {
    expect(() => meta(fields)).toThrow(text)
  })

  it.each(['aki', 'ari', 'ami'])('lets %s stand for both', (format) => {
    const both = { diskFormat: format, containerFormat: format }
    expect(meta({ disk_format: format })).toMatchObject(both)
    expect(meta({ container_format: format })).toMatchObject(both)
    expect(meta({ disk_format: format, container_format: format })).toMatchObject(both)
  })
})

describe('the body (§6.5)', () => {
  const type = { 'Content-Type': 'application/octet-stream' }

  it('is data with a length, or chunked', () => {
    expect(read({ ...type, 'Content-Length': '5' }).body).toEqual({ length: 5, isOctetStream: true })
    expect(read({ 'Transfer-Encoding': 'chunked' }).body).toEqual({ length: undefined, isOctetStream: false })
    expect(read({ ...type, 'Content-Length': '0' }).body).toBeUndefined()
    expect(read(type).body).toBeUndefined()
  })

  it('or else the size may not be over the cap', () => {
    const text = 'Denying attempt to upload image larger than 1099511627776 bytes.'
    expect(() => meta({ size: '1099511627777' })).toThrow(text)
    expect(() => meta({ size: '9'.repeat(30) })).toThrow(text)
    expect(() => read({ ...type, 'Content-Length': '1099511627777', 'x-image-meta-size': '1' })).toThrow(text)
    expect(() => meta({ size: '1099511627776' })).not.toThrow()
  })
})

describe('the order of the checks (§6.6)', () => {
  it('reports the first of them that fails', () => {
    const wrong: [string, string, string][] = [
      ['x-image-meta-bogus', '1', 'Bad header'],
      ['x-image-meta-min_ram', 'x', 'Cannot convert image min_ram'],
      ['x-image-meta-disk_format', 'x', 'Invalid disk format'],
      ['x-image-meta-container_format', 'x', 'Invalid container format'],
      ['x-image-meta-created_at', 'x', 'Invalid time format'],
      ['x-image-meta-name', 'n'.repeat(256), 'Image name too long'],
      ['x-image-meta-checksum', 'c'.repeat(33), 'Invalid checksum'],
      ['x-image-meta-size', '9'.repeat(20), 'Denying attempt to upload'],
    ]
    for (let at = 0; at < wrong.length; at += 1) {
      const rest = wrong.slice(at).toReversed()
      expect(() => read(Object.fromEntries(rest))).toThrow(wrong[at]?.[2] ?? '')
    }
  })
})

describe('the purge header (§10.3)', () => {
  it('is true when absent, and false when it is junk', () => {
    expect(read({}).purge).toBe(true)
    expect(read({ 'X-Glance-Registry-Purge-Props': 'TRUE' }).purge).toBe(true)
    expect(read({ 'X-Glance-Registry-Purge-Props': 'junk' }).purge).toBe(false)
  })
})
