import { newImage } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { cloudEvent } from '../../src/notifications/cloud-event.ts'
import { type Notification, imageFacts, sentFacts } from '../../src/notifications/notification.ts'
import { osloMessage } from '../../src/notifications/oslo.ts'
import { publisher } from '../../src/notifications/publisher.ts'
import { imageDetail } from '../../src/v1/document.ts'
import { recordingOutlet } from './recording.ts'

const NOW = new Date('2026-11-22T16:25:14.123Z')
const URI = 'swift+https://tester:s3cr3t@store.example/v1/container/object'
const image = {
  ...newImage({ name: 'cirros', owner: 'tenant', properties: new Map([['__proto__', 'x']]) }, NOW, () => 'image-id'),
  locations: [{ uri: URI, metadata: { password: 's3cr3t' }, status: 'active' as const }],
  reason: `GET ${URI} failed`,
}
const sent = {
  image,
  bytesSent: 7,
  failure: undefined,
  receiverTenant: 'receiver',
  receiverUser: 'user',
  destinationIp: '192.0.2.1',
}

function published(tell: (notifier: ReturnType<typeof publisher>) => void): readonly Notification[] {
  const [one, two] = [recordingOutlet(), recordingOutlet()]
  let count = 0
  tell(publisher([one, two], { publisherId: 'image.test', now: () => NOW, newId: () => `id-${++count}` }))
  expect(two.notifications).toEqual(one.notifications)
  return one.notifications
}

describe('a notification', () => {
  it('has the envelope of OpenStack and the image as the API shows it', () => {
    expect(published((notifier) => notifier.notify('create', image))).toEqual([
      {
        messageId: 'id-1',
        publisherId: 'image.test',
        eventType: 'image.create',
        priority: 'INFO',
        payload: imageDetail(image),
        timestamp: NOW,
        imageId: 'image-id',
      },
    ])
  })

  it('has an id of its own, the same for every outlet', () => {
    const all = published((notifier) => {
      notifier.notify('create', image)
      notifier.notify('prepare', image)
      notifier.dataSent(sent)
    })
    expect(all.map(({ messageId }) => messageId)).toEqual(['id-1', 'id-2', 'id-3'])
  })

  it('of a failure is an error with the reason as its payload', () => {
    expect(imageFacts('upload', image, 'the disk is full')).toEqual({
      eventType: 'image.upload',
      priority: 'ERROR',
      payload: 'the disk is full',
      imageId: 'image-id',
    })
  })

  it('of data that was sent says who got how much; an error when that was not all', () => {
    const payload = {
      bytes_sent: 7,
      image_id: 'image-id',
      owner_id: 'tenant',
      receiver_tenant_id: 'receiver',
      receiver_user_id: 'user',
      destination_ip: '192.0.2.1',
    }
    expect(sentFacts(sent)).toMatchObject({ eventType: 'image.send', priority: 'INFO', payload })
    expect(sentFacts({ ...sent, failure: 'the client left' })).toMatchObject({ priority: 'ERROR', payload })
    const unknown = { receiverTenant: undefined, receiverUser: undefined, image: { ...image, owner: undefined } }
    expect(sentFacts({ ...sent, ...unknown }).payload).toMatchObject({
      owner_id: null,
      receiver_tenant_id: null,
      receiver_user_id: null,
    })
  })

  it('never says a location, even of a whole record (OSSN-0065)', () => {
    const all = published((notifier) => {
      notifier.notify('update', image)
      notifier.dataSent(sent)
    })
    for (const text of [...all.map(osloMessage), ...all.map((one) => JSON.stringify(cloudEvent(one)))]) {
      expect(text).not.toMatch(/s3cr3t|store\.example|location|reason/)
    }
  })

  it.each([
    ['GET swift+https://tester:s3cr3t@store.example/v1/c/o: 403', 'GET swift+https://***: 403'],
    ["cannot reach 'http://u:p@h/x?sig=1', twice", "cannot reach 'http://***', twice"],
    ['ENOSPC: no space left, open /srv/images/a', 'ENOSPC: no space left, open ***'],
    ["EACCES, open '/srv/images/a'", "EACCES, open '***'"],
    ['expected 5 bytes, got 3 and/or 4', 'expected 5 bytes, got 3 and/or 4'],
  ])('of the failure %j says %j: no place and no user (CVE-2013-0212)', (failure, payload) => {
    expect(imageFacts('upload', image, failure).payload).toBe(payload)
  })
})

describe('a notification for oslo.messaging', () => {
  it('is JSON text in an envelope of version 2.0', () => {
    const [notification] = published((notifier) => notifier.notify('create', image))
    const envelope = JSON.parse(osloMessage(notification as Notification)) as Record<string, string>
    expect(Object.keys(envelope)).toEqual(['oslo.version', 'oslo.message'])
    expect(envelope['oslo.version']).toBe('2.0')
    expect(JSON.parse(envelope['oslo.message'] ?? '')).toEqual({
      message_id: 'id-1',
      publisher_id: 'image.test',
      event_type: 'image.create',
      priority: 'INFO',
      payload: JSON.parse(JSON.stringify(imageDetail(image))) as unknown,
      timestamp: '2026-11-22 16:25:14.123000',
      _unique_id: 'id1',
    })
  })
})

describe('a notification as a CloudEvent', () => {
  it('has the attributes of version 1.0', () => {
    const [notification] = published((notifier) => notifier.notify('delete', image))
    expect(cloudEvent(notification as Notification)).toEqual({
      specversion: '1.0',
      id: 'id-1',
      source: 'image.test',
      type: 'org.openstack.image.delete',
      subject: 'image-id',
      time: '2026-11-22T16:25:14.123Z',
      datacontenttype: 'application/json',
      priority: 'INFO',
      data: imageDetail(image),
    })
  })
})
