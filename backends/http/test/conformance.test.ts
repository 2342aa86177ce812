import { testStore } from 'mullion/testkit'
import { describe, it } from 'vitest'
import { http } from '../src/index.ts'
import { serving, type Web, web } from './web.ts'

const objects = new Map<string, Uint8Array>()
let site: Web | undefined

testStore(
  { describe, it },
  {
    name: 'http',
    async open() {
      site = await web((request, response) => {
        const bytes = objects.get(request.url ?? '')
        if (bytes) serving(bytes)(request, response)
        else response.writeHead(404).end()
      })
      return http({ allow: ['127.0.0.1'] })
    },
    seed(bytes) {
      const path = `/${objects.size}.img`
      objects.set(path, bytes)
      return Promise.resolve(`${site?.url}${path}`)
    },
    async close() {
      objects.clear()
      await site?.[Symbol.asyncDispose]()
    },
  },
)
