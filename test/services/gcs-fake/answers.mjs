// What an answer looks like, and a refusal
export class Fail extends Error {
  constructor(code, reason, message, extra = {}) {
    super(message)
    Object.assign(this, { code, reason, extra })
  }
}
export const notFound = (what) => new Fail(404, 'notFound', what)
export const unmet = () =>
  new Fail(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.', {
    locationType: 'header',
    location: 'If-Match',
  })
export function json(res, code, value, headers = {}) {
  const said = value === undefined ? '' : JSON.stringify(value)
  res.writeHead(code, {
    ...(said && { 'Content-Type': 'application/json; charset=UTF-8' }),
    'Content-Length': Buffer.byteLength(said),
    ...headers,
  })
  res.end(said)
}
export function refuse(res, e, xml, media) {
  if (res.headersSent) return res.destroy()
  if (xml) {
    const said = `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${e.xml ?? e.reason}</Code><Message>${e.message}</Message></Error>`
    return res
      .writeHead(e.code, {
        'Content-Type': 'application/xml; charset=UTF-8',
        'Content-Length': Buffer.byteLength(said),
      })
      .end(said)
  }
  if (e.code === 304) return res.writeHead(304).end()
  if (media)
    return res
      .writeHead(e.code, { 'Content-Type': 'text/html; charset=UTF-8', 'Content-Length': Buffer.byteLength(e.message) })
      .end(e.message)
  json(
    res,
    e.code,
    {
      error: {
        code: e.code,
        message: e.message,
        errors: [{ message: e.message, domain: 'global', reason: e.reason, ...e.extra }],
      },
    },
    e.code === 401 ? { 'WWW-Authenticate': 'Bearer realm="https://accounts.google.com/"' } : {},
  )
}
