import { openPolicy, silentNotifier } from 'mullion/images'
import { expect, it } from 'vitest'

it('allow everything and tell nobody', async () => {
  const nobody = {
    user: undefined,
    tenant: undefined,
    owner: undefined,
    roles: [],
    admin: false,
    readOnly: true,
  }
  await expect(openPolicy.enforce('delete_image', nobody)).resolves.toBeUndefined()
  expect(silentNotifier.notify('create', {} as never)).toBeUndefined()
})
