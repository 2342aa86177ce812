import { newImage } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { logNotifier } from '../../src/notifications/log.ts'

function capture() {
  const entries: { level: string; fields: object; message: string }[] = []
  const at = (level: string) => (fields: object, message: string) => void entries.push({ level, fields, message })
  return { entries, log: { info: at('info'), warn: at('warn') } }
}

const image = newImage({ name: 'cirros', owner: 'tenant', checksum: 'c' }, new Date(0), () => 'id')
const summary = { id: 'id', name: 'cirros', status: 'queued', owner: 'tenant', size: undefined }

describe('the notifier that writes to the log', () => {
  it('writes the event under the name OpenStack gives it', () => {
    const { entries, log } = capture()
    logNotifier(log).notify('create', image)
    expect(entries).toEqual([
      { level: 'info', fields: { event: 'image.create', image: summary }, message: 'image.create' },
    ])
  })

  it('warns of a failure and says which', () => {
    const { entries, log } = capture()
    logNotifier(log).notify('upload', image, 'the disk is full')
    expect(entries).toMatchObject([
      { level: 'warn', fields: { failure: 'the disk is full' }, message: 'image.upload failed' },
    ])
  })

  it('writes who was sent how much', () => {
    const { entries, log } = capture()
    const facts = { bytesSent: 7, receiverTenant: 't', receiverUser: 'u', destinationIp: '127.0.0.1' }
    logNotifier(log).dataSent({ image, failure: undefined, ...facts })
    logNotifier(log).dataSent({ image, failure: 'the client left', ...facts })
    expect(entries).toMatchObject([
      { level: 'info', fields: { event: 'image.send', image: summary, ...facts } },
      { level: 'warn', fields: { failure: 'the client left', bytesSent: 7 } },
    ])
  })
})
