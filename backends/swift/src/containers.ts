import { type Account, pathOf } from './account.ts'
import type { SwiftSettings } from './config.ts'
import { badConfig, statusError } from './errors.ts'
import { refusalOf } from './reply.ts'

type Naming = Pick<SwiftSettings, 'container' | 'multiTenant' | 'multipleContainersSeed' | 'segmentsContainer'>

/** Names as Glance makes them, so that either finds what the other stored (glance_store _drivers/swift/store.py). */
export function containerOf({ container, multiTenant, multipleContainersSeed: seed }: Naming, key: string): string {
  if (multiTenant) return `${container}_${key}`
  if (seed === 0) return container
  const id = key.toLowerCase()
  const dashes = id.slice(0, seed).split('-').length - 1
  return `${container}_${id.slice(0, seed + dashes)}`
}

export function segmentsContainerOf({ segmentsContainer, multiTenant }: Naming, container: string): string {
  return segmentsContainer ?? (multiTenant ? container : `${container}_segments`)
}

/** Whether images lie there: the container itself, and those that seeds and multiple tenants make of its name. */
export function holdsImages({ container, segmentsContainer }: Naming, name: string): boolean {
  if (name === container) return true
  return name.startsWith(`${container}_`) && name !== `${container}_segments` && name !== segmentsContainer
}

/** Answers whether it was not there before. */
export async function createContainer(account: Account, container: string, signal: AbortSignal): Promise<boolean> {
  const body = new Uint8Array()
  const reply = await account.request({ method: 'PUT', path: pathOf(container), body, signal })
  if (reply.status !== 201 && reply.status !== 202) throw statusError(refusalOf(reply), `PUT ${container}`)
  return reply.status === 201
}

/** Answers whether it is gone; a container that still holds something stays. */
export async function deleteContainer(account: Account, container: string, signal: AbortSignal): Promise<boolean> {
  const reply = await account.request({ method: 'DELETE', path: pathOf(container), signal })
  return reply.status === 204 || reply.status === 404
}

export function missingContainer(container: string): Error {
  return badConfig(`container ${container} does not exist; create it, or set createContainer`)
}
