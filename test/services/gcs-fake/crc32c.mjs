// CRC32C, eight bytes a step
const T = Array.from({ length: 8 }, () => new Uint32Array(256))
for (let n = 0; n < 256; n++) {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1
  T[0][n] = c >>> 0
}
for (let n = 0; n < 256; n++) for (let k = 1; k < 8; k++) T[k][n] = (T[k - 1][n] >>> 8) ^ T[0][T[k - 1][n] & 255]
export function crc32c(buf, crc = 0) {
  let c = ~crc >>> 0,
    i = 0
  const end = buf.length - (buf.length % 8)
  for (; i < end; i += 8) {
    const lo = (c ^ buf.readUInt32LE(i)) >>> 0,
      hi = buf.readUInt32LE(i + 4)
    c =
      T[7][lo & 255] ^
      T[6][(lo >>> 8) & 255] ^
      T[5][(lo >>> 16) & 255] ^
      T[4][lo >>> 24] ^
      T[3][hi & 255] ^
      T[2][(hi >>> 8) & 255] ^
      T[1][(hi >>> 16) & 255] ^
      T[0][hi >>> 24]
  }
  for (; i < buf.length; i++) c = T[0][(c ^ buf[i]) & 255] ^ (c >>> 8)
  return ~c >>> 0
}
export const b64 = (crc) => {
  const b = Buffer.alloc(4)
  b.writeUInt32BE(crc)
  return b.toString('base64')
}
