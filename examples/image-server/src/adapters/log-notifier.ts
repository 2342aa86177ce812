import type { Notifier, PublicImage } from 'mullion/images'
import type { DataSent } from '../v1/context.ts'

/** The one method of a pino logger that is needed. */
export interface InfoLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** Writes each notification to the log, named as OpenStack names them: `image.create`, `image.upload`, … */
export function logNotifier(log: InfoLog): Notifier {
  return {
    notify(event, image, failure) {
      const fields = { event: `image.${event}`, image: summary(image) }
      if (failure === undefined) log.info(fields, `image.${event}`)
      else log.warn({ ...fields, failure }, `image.${event} failed`)
    },
  }
}

/** Writes `image.send` with who got how much, once the data of an image was sent. */
export function logDataSent(log: InfoLog): (event: DataSent) => void {
  return ({ image, failure, ...facts }) => {
    const fields = { event: 'image.send', image: summary(image), ...facts }
    if (failure === undefined) log.info(fields, 'image.send')
    else log.warn({ ...fields, failure }, 'image.send failed')
  }
}

function summary({ id, name, status, owner, size }: PublicImage): object {
  return { id, name, status, owner, size }
}
