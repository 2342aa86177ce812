import { readFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../../../test/services/require.ts'
import { createTransport } from '../../../src/auth/keystone/transport.ts'

describeWithService(
  ['HTTP_TLS_URL', 'HTTP_CA'],
  'http.sh',
  'questions to Keystone by TLS',
  ({ HTTP_TLS_URL, HTTP_CA }) => {
    const ask = (ca?: string) => {
      const transport = createTransport({ timeoutMs: 10_000, ca })
      onTestFinished(() => transport.close())
      return transport.ask({ method: 'GET', url: `${HTTP_TLS_URL}/v3/auth/tokens`, headers: {} })
    }

    it('are asked where the certificate is of an authority that is trusted', async () => {
      expect((await ask(readFileSync(HTTP_CA, 'utf8'))).status).toBe(404)
    })

    it('are not asked elsewhere', async () => {
      await expect(ask()).rejects.toMatchObject({
        name: 'KeystoneUnavailable',
        message: expect.stringMatching(/^keystone: the connection failed: (UNABLE_TO_VERIFY|SELF_SIGNED|DEPTH_ZERO)/),
      })
    })
  },
)
