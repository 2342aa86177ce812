import { newImage } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { fanOut, type ServerNotifier, withoutEvents } from '../../src/notifications/notifier.ts'

const image = newImage({}, new Date(0), () => 'id')
const sent = {
  image,
  bytesSent: 0,
  failure: undefined,
  receiverTenant: undefined,
  receiverUser: undefined,
  destinationIp: '127.0.0.1',
}

function recording(): ServerNotifier & { readonly seen: readonly string[] } {
  const seen: string[] = []
  return {
    seen,
    notify: (event) => void seen.push(`image.${event}`),
    dataSent: () => void seen.push('image.send'),
    close: () => Promise.resolve(void seen.push('close')),
  }
}

function tellAll(notifier: ServerNotifier): void {
  for (const event of ['create', 'update', 'delete'] as const) notifier.notify(event, image)
  notifier.dataSent(sent)
}

describe('several notifiers', () => {
  it('are all told of everything and all closed', async () => {
    const [one, two] = [recording(), recording()]
    const both = fanOut([one, two])
    tellAll(both)
    await both.close()
    expect(one.seen).toEqual(['image.create', 'image.update', 'image.delete', 'image.send', 'close'])
    expect(two.seen).toEqual(one.seen)
  })
})

describe('disabled notifications', () => {
  it.each([
    [[], ['image.create', 'image.update', 'image.delete', 'image.send']],
    [
      ['image.create', 'image.send'],
      ['image.update', 'image.delete'],
    ],
    [['image'], []],
    [
      ['imag', 'image.cre', 'update', 'IMAGE', ''],
      ['image.create', 'image.update', 'image.delete', 'image.send'],
    ],
  ])('%j leaves %j', (disabled, left) => {
    const notifier = recording()
    tellAll(withoutEvents(disabled, notifier))
    expect(notifier.seen).toEqual(left)
  })
})
