import type { PublicImage } from 'mullion/images'
import { imageDetail } from '../v1/document.ts'
import type { Target } from './template.ts'

/** An image as rules see it: custom properties beside the fields, which hide properties of their names. */
export function imageTarget(image: PublicImage): Target {
  const { properties: _properties, ...fields } = imageDetail(image)
  return new Map([...image.properties, ...Object.entries({ ...fields, visibility: image.visibility })])
}
