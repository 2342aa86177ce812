/** Whether a text can be a segment of a path: `.` and `..` are resolved on the way (RFC 3986 §5.2.4). */
export function isAddress(text: string): boolean {
  return text !== '' && text !== '.' && text !== '..' && text !== 'detail' && text.isWellFormed()
}

/** Of an id that `isAddress`. */
export function imagePath(id: string): string {
  return `/images/${encodeURIComponent(id)}`
}
