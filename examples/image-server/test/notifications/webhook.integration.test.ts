import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { describeWithService } from '../../../../test/services/require.ts'
import { Outbox } from '../../src/notifications/outbox.ts'
import { type SigningKey, signingKey } from '../../src/notifications/signature.ts'
import { webhook } from '../../src/notifications/webhook.ts'
import { numbered, recordingLog } from './recording.ts'

const KEY = signingKey(`whsec_${Buffer.alloc(32).toString('base64')}`) as SigningKey

async function reasons(url: string, ca?: readonly string[]): Promise<readonly unknown[]> {
  const log = recordingLog()
  const options = { maxCount: 10, maxBytes: 10_000, attemptMs: 5_000, giveUpMs: 60_000, closeMs: 500, log }
  const box = new Outbox(webhook({ url, keys: [KEY], ca }), options)
  box.add(numbered(1))
  await box.close()
  return log.lines.map(({ fields }) => fields['reason'])
}

describeWithService(['HTTP_TLS_URL', 'HTTP_CA'], 'http.sh', 'a webhook over TLS', ({ HTTP_TLS_URL, HTTP_CA }) => {
  it('is posted to a receiver that the given authority vouches for', async () => {
    const ca = [await readFile(HTTP_CA, 'utf8')]
    expect((await reasons(`${HTTP_TLS_URL}/hook`, ca))[0]).toMatch(/^answered 4\d\d$/)
  })

  it('is not posted to a receiver that nobody vouches for', async () => {
    expect((await reasons(`${HTTP_TLS_URL}/hook`))[0]).toMatch(/certificate/)
  })
})
