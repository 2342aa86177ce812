import fc from 'fast-check'
import {
  advance,
  create,
  type Image,
  type ImageEvent,
  type ImageStatus,
  nextStatus,
  openData,
  register,
  remove,
  scrub,
  updateImage,
  upload,
} from 'mullion/images'
import { failingSource, seededBytes } from 'mullion/testkit'
import { collect, isMullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { tiny, type Tiny } from '../tiny-store.ts'
import { type Scene, scene } from './scene.ts'

const content = seededBytes(19, 64)
const FAR = 'http://x'

/** What the table says the image is, and whether it should have data, of its own or elsewhere. */
interface Model {
  status: ImageStatus
  data: 'none' | 'own' | 'far'
}

interface Real {
  readonly set: Scene
  readonly near: Tiny
  readonly id: string
}

type Command = fc.AsyncCommand<Model, Real>

/** A command that may be tried in every status: the model says what it should come to. */
function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    async run(model, real) {
      await run(model, real)
      const image = await real.set.get(real.id)
      expect(image.status, name).toBe(model.status)
      expect(real.near.objects.has(real.id), `${name}: data`).toBe(model.data === 'own')
      await expectReadable(real, image, model)
    },
    toString: () => name,
  }
}

async function expectReadable({ set }: Real, image: Image, { status, data }: Model): Promise<void> {
  const readable = data !== 'none' && (status === 'active' || status === 'deactivated')
  const opened = await openData(set.ports, image).then(
    ({ body }) => collect(body),
    (error: unknown) => error,
  )
  if (readable) expect(opened).toHaveLength(64)
  else expect(isMullionError(opened, 'not_found')).toBe(true)
}

/** Runs a use case; it must succeed exactly when the table knows the way. */
async function expectMove(
  model: Model,
  event: ImageEvent,
  run: () => Promise<unknown>,
  refusal = 'invalid_transition',
): Promise<boolean> {
  const to = nextStatus(event, model.status)
  const error = await run().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (to === undefined) expect(error).toMatchObject({ code: refusal })
  else {
    expect(error).toBeUndefined()
    model.status = to
  }
  return to !== undefined
}

const COMMANDS: readonly Command[] = [
  command('upload', async (model, { set, id }) => {
    const was = model.status
    const moved = await expectMove(model, 'upload', () => upload(set.ports, id, content, { onFailure: 'kill' }))
    if (was === 'queued' && moved) Object.assign(model, { status: 'active', data: 'own' })
  }),
  ...(['kill', 'requeue'] as const).map((onFailure) =>
    command(`upload that fails, ${onFailure}`, async (model, { set, id }) => {
      const failure = new Error('the client left')
      const error = await upload(set.ports, id, failingSource(failure, 10), { onFailure }).catch(
        (thrown: unknown) => thrown,
      )
      if (model.status !== 'queued') return expect(error).toMatchObject({ code: 'invalid_transition' })
      expect(error).toBe(failure)
      model.status = nextStatus(onFailure, 'saving') ?? 'deleted'
    }),
  ),
  command('register', async (model, { set, id }) => {
    if (await expectMove(model, 'activate', () => register(set.ports, id, FAR))) model.data = 'far'
  }),
  ...[true, false].map((delayed) =>
    command(`remove, ${delayed ? 'delayed' : 'at once'}`, async (model, { set, id }) => {
      const { status, data } = model
      await expectMove(model, 'delete', () => remove(set.ports, id, { delayed }))
      if (status === 'deleted') return
      if (delayed && data !== 'none' && status === 'active') model.status = 'pending_delete'
      else if (!delayed || status === 'queued') model.data = 'none'
    }),
  ),
  command('scrub', async (model, { set }) => {
    await scrub(set.ports, { deletedBefore: new Date(Date.UTC(2040, 0, 1)), log: () => {} })
    if (model.status === 'pending_delete') model.status = 'deleted'
    if (model.status === 'deleted') model.data = 'none'
  }),
  ...(['deactivate', 'reactivate'] as const).map((event) =>
    command(event, async (model, { set, id }) => {
      await expectMove(model, event, () => advance(set.ports, id, event))
    }),
  ),
  command('update', async (_model, { set, id }) => {
    await updateImage(set.ports, id, { name: 'renamed' })
  }),
]

describe('any sequence of use cases', () => {
  it('moves an image as the table says, and keeps its data exactly as long as it has an owner', async () => {
    const sequence = fc.commands(
      COMMANDS.map((one) => fc.constant(one)),
      { maxCommands: 25 },
    )
    await fc.assert(
      fc.asyncProperty(sequence, async (commands) => {
        const near = tiny()
        const far = tiny({ scheme: 'http', with: { remove: undefined } })
        far.objects.set('x', content)
        await using set = await scene({ near: near.spec, far: far.spec })
        const { id } = await create(set.ports, {})
        const model: Model = { status: 'queued', data: 'none' }
        await fc.asyncModelRun(() => ({ model, real: { set, near, id } }), commands)
        expect(far.objects.size).toBe(1)
      }),
      { numRuns: 150 },
    )
  })
})
