import fc from 'fast-check'
import { type Image, newImage } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { readImageHeaders, writeImageHeaders } from '../../src/v1/headers.ts'
import { utf8AsLatin1 } from './server.ts'

const NOW = new Date('2016-11-22T08:13:22.349Z')

function image(draft: Partial<Image>): Image {
  return { ...newImage({}, NOW, () => '0b4d2a3c-7c2f-4a53-9d2b-1f1c5a8e9f10'), ...draft }
}

function read(...headers: readonly (readonly [string, string])[]): ReturnType<typeof readImageHeaders> {
  return readImageHeaders(headers.flat())
}

const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => !/[\p{Cc}\p{Cs}]/u.test(value))
const name = fc.string({
  unit: fc.constantFrom('a', 'b', 'z', '0', '9', '_', '.', '!', '~', '|'),
  minLength: 0,
  maxLength: 20,
})

describe('reading x-image-meta-* headers', () => {
  it('gets back what was written: any text, any property', () => {
    fc.assert(
      fc.property(text, text, fc.dictionary(name, text, { noNullPrototype: false }), (title, owner, dictionary) => {
        const properties = new Map(Object.entries(dictionary))
        const written = writeImageHeaders(image({ name: title, owner, properties }))
        const meta = written.filter(([header]) => header !== 'etag')
        const { fields, properties: again } = readImageHeaders(meta.flat())
        expect(fields.get('name')).toBe(title)
        expect(fields.get('owner')).toBe(owner)
        expect(again).toEqual(properties)
        for (const [, value] of written) expect(value).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/)
      }),
    )
  })

  it('folds case and hyphens of names', () => {
    const { fields, properties } = read(['X-Image-Meta-Disk-Format', 'raw'], ['x-image-meta-property-Foo-Bar.Baz', '1'])
    expect(fields.get('disk_format')).toBe('raw')
    expect([...properties]).toEqual([['foo_bar.baz', '1']])
  })

  it('joins repeated headers with a comma in order of arrival', () => {
    expect(
      read(['x-image-meta-name', 'a'], ['X-IMAGE-META-NAME', 'b'], ['x_image_meta_name', 'c']).fields.get('name'),
    ).toBe('a,b,c')
  })

  it('takes an empty value for null', () => {
    const { fields, properties } = read(
      ['x-image-meta-name', ''],
      ['x-image-meta-property-p', ''],
      ['x-image-meta-property-', ''],
    )
    expect(fields.get('name')).toBeNull()
    expect([...properties]).toEqual([
      ['p', null],
      ['', null],
    ])
  })

  it.each(['x-image-meta-bogus', 'X-Image-Meta-', 'x-image-meta-property', 'x-image-meta-tags'])(
    'refuses %s',
    (header) => {
      expect(() => read([header, 'x'])).toThrow(`Bad header: ${header.toLowerCase()}`)
    },
  )

  it('refuses octets that are no UTF-8', () => {
    expect(() => read(['x-image-meta-name', 'caf\xe9'])).toThrow('Error decoding your request.')
    expect(read(['x-image-meta-name', utf8AsLatin1('café')]).fields.get('name')).toBe('café')
  })

  it('does not look at other headers', () => {
    expect(read(['host', 'caf\xe9'], ['x-image', '1'])).toEqual({ fields: new Map(), properties: new Map() })
  })

  it.each(['__proto__', 'constructor', 'prototype', 'toString'])(
    'treats a property named %s like any other',
    (property) => {
      expect([...read([`x-image-meta-property-${property}`, 'x']).properties]).toEqual([[property.toLowerCase(), 'x']])
    },
  )
})

describe('writing x-image-meta-* headers', () => {
  it('writes booleans, integers, times and the checksum as clients expect them', () => {
    const written = new Map(
      writeImageHeaders(image({ visibility: 'public', size: 4, virtualSize: 8, checksum: 'c', deletedAt: NOW })),
    )
    expect(Object.fromEntries(written)).toMatchObject({
      'x-image-meta-is_public': 'True',
      'x-image-meta-protected': 'False',
      'x-image-meta-deleted': 'True',
      'x-image-meta-size': '4',
      'x-image-meta-virtual_size': '8',
      'x-image-meta-created_at': '2016-11-22T08:13:22.349000',
      'x-image-meta-deleted_at': '2016-11-22T08:13:22.349000',
      etag: 'c',
    })
  })

  it('leaves out null, what would split a header, and names that are no tokens', () => {
    const properties = new Map([
      ['void', null],
      ['split', 'a\r\nSet-Cookie: x'],
      ['nul', 'a\0b'],
      ['two words', '1'],
      ['colon:', '1'],
      ['größe', '1'],
      ['Fine', '1'],
    ])
    const written = writeImageHeaders(image({ name: 'line\nbreak', properties }))
    expect(written.filter(([header]) => header.includes('property'))).toEqual([['x-image-meta-property-fine', '1']])
    expect(written.map(([header]) => header)).not.toContain('x-image-meta-name')
  })

  it('has no header for a location', () => {
    const locations = [{ uri: 'http://user:secret@host/x', metadata: {}, status: 'active' as const }]
    expect(JSON.stringify(writeImageHeaders(image({ locations, reason: 'secret' })))).not.toMatch(/secret|host/)
  })
})
