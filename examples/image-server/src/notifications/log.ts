import type { PublicImage } from 'mullion/images'
import type { ServerNotifier } from './notifier.ts'

/** The two methods of a pino logger that are needed. */
export interface InfoLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** Writes each notification to the log, named as OpenStack names them: `image.create`, `image.upload`, … */
export function logNotifier(log: InfoLog): ServerNotifier {
  const write = (event: string, image: PublicImage, facts: object, failure: string | undefined): void => {
    const fields = { event, image: summary(image), ...facts }
    if (failure === undefined) log.info(fields, event)
    else log.warn({ ...fields, failure }, `${event} failed`)
  }
  return {
    notify: (event, image, failure) => write(`image.${event}`, image, {}, failure),
    dataSent: ({ image, failure, ...facts }) => write('image.send', image, facts, failure),
    close: () => Promise.resolve(),
  }
}

function summary({ id, name, status, owner, size }: PublicImage): object {
  return { id, name, status, owner, size }
}
