import { writeFile } from 'node:fs/promises'
import { generatedPages } from './pages.ts'

for (const { path, current, expected } of await generatedPages()) {
  if (current === expected) continue
  await writeFile(path, expected)
  console.log(`updated ${path}`)
}
