/**
 * The process that holds librados and librbd, so that a crash of theirs does not end the service. Serves calls that come
 * over file descriptor 3 and ends when that closes.
 */
import { Socket } from 'node:net'
import type { Answer, Ask, CallName, Request, Response } from './calls.ts'
import { Cluster } from './cluster.ts'
import { FrameReader, frameHead } from './frames.ts'
import { Images } from './images.ts'
import { NativeError } from './librbd.ts'
import { SpareBuffers } from './spare.ts'

/** How long calls under way may take once nobody waits for them. */
const PATIENCE_MS = 10_000
const REMOVAL_PATIENCE_MS = 60_000

type Served<N extends CallName> = (ask: Ask<N>, payload: Buffer) => Promise<Answer<N> | Buffer>

const NOTHING = {}
const buffers = new SpareBuffers()
const frames = new FrameReader((bytes) => buffers.take(bytes))
let loaded: { readonly cluster: Cluster; readonly images: Images } | undefined

function ready(): { readonly cluster: Cluster; readonly images: Images } {
  if (!loaded) throw new Error('not loaded')
  return loaded
}

const calls: { readonly [N in CallName]: Served<N> } = {
  async load(ask) {
    const cluster = new Cluster()
    loaded = { cluster, images: new Images(cluster, buffers) }
    return cluster.load(ask)
  },
  async connect(place) {
    const fsid = await ready().cluster.connect()
    await ready().cluster.pool(place)
    return { fsid }
  },
  ping: async () => NOTHING,
  list: async (place) => ({ images: await ready().cluster.images(place) }),
  create: async (ask) => done(ready().images.create(ask)),
  open: ({ image, snapshot, watch, ...place }) => ready().images.open(image, snapshot, watch, place),
  close: ({ handle }) => done(ready().images.close(handle)),
  read: ({ handle, offset, length }) => ready().images.read(handle, offset, length),
  write: ({ handle, offset }, payload) => done(ready().images.write(handle, offset, payload)),
  copy: ({ from, to, offset, length }) => done(ready().images.copy(from, to, offset, length)),
  resize: ({ handle, size }) => onImage(handle, (lib, image) => lib.rbd_resize(image, size)),
  flush: ({ handle }) => onImage(handle, (lib, image) => lib.rbd_flush(image)),
  protect: ({ handle, snapshot }) => done(ready().images.protect(handle, snapshot)),
  dependents: ({ handle, snapshot }) => ready().images.dependents(handle, snapshot),
  unprotect: ({ handle, snapshot }) => done(ready().images.unprotect(handle, snapshot)),
  mark: ({ handle, removing }) => done(ready().images.mark(handle, removing)),
  dropSnapshot: ({ handle, snapshot }) => done(ready().images.dropSnapshot(handle, snapshot)),
  rename: (ask) => done(ready().images.rename(ask)),
  async unname({ image, ...place }) {
    const { cluster } = ready()
    // include/rbd_types.h, RBD_ID_PREFIX: the object that leads from a name to an image
    return done(cluster.lib.rados_remove(await cluster.pool(place), `rbd_id.${image}`))
  },
  remove: (ask) => done(ready().images.remove(ask)),
  async trash({ image, delayMs, ...place }) {
    const { cluster } = ready()
    return done(cluster.lib.rbd_trash_move(await cluster.pool(place), image, Math.ceil(delayMs / 1000)))
  },
}

const underWay = new Set<Promise<void>>()
const socket = new Socket({
  fd: 3,
  onread: { buffer: () => frames.target(), callback: (count) => received(count) },
})

// What a terminal or a supervisor sends to the whole group; the service decides when this process ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
socket.on('error', () => {}).once('close', () => void end())
socket.resume()

function received(count: number): boolean {
  const frame = frames.fill(count)
  if (!frame) return true
  const serving = serve(frame.header as Request, frame.payload)
  underWay.add(serving)
  void serving.finally(() => underWay.delete(serving))
  return true
}

async function serve({ id, call, ask }: Request, payload: Buffer): Promise<void> {
  try {
    const served = calls[call] as Served<CallName>
    const answer = await served(ask, payload)
    if (Buffer.isBuffer(answer)) respond({ id, answer: NOTHING }, answer)
    else respond({ id, answer })
  } catch (error) {
    if (error instanceof NativeError) respond({ id, failed: error.call, errno: error.errno })
    else respond({ id, thrown: error instanceof Error ? error.message : String(error) })
  } finally {
    buffers.give(payload)
  }
}

function respond(response: Response, payload?: Buffer): void {
  if (!socket.writable) return
  socket.cork()
  socket.write(frameHead(response, payload?.byteLength ?? 0))
  if (payload) socket.write(payload, () => buffers.give(payload))
  socket.uncork()
}

/**
 * Closing images takes back their watches, which would keep them from being removed for half a minute. When the service
 * was killed, what it was uploading is removed as well.
 */
async function end(): Promise<void> {
  // process.exit() below a native call is a segmentation fault
  const die = (): boolean => process.kill(process.pid, 'SIGKILL')
  let impatient = setTimeout(die, loaded?.images.busy ? PATIENCE_MS : 1000)
  await Promise.allSettled(underWay)
  await loaded?.images.closeAll()
  clearTimeout(impatient)
  impatient = setTimeout(die, REMOVAL_PATIENCE_MS)
  await loaded?.images.removeDrafts()
  await loaded?.cluster.shutdown().catch(() => {})
  clearTimeout(impatient)
  process.exit(0)
}

async function done(work: Promise<unknown>): Promise<typeof NOTHING> {
  await work
  return NOTHING
}

function onImage(handle: number, call: (lib: Cluster['lib'], image: bigint) => Promise<number>): Promise<object> {
  const { cluster, images } = ready()
  return done(images.use(handle, (image) => call(cluster.lib, image)))
}
