// Writes a WebP and an AVIF beside each JPEG and PNG where that is smaller, and
// holds every image against a size. Nothing is overwritten: what is there stays,
// and a copy of an older version of its original is named.
import {createHash} from 'node:crypto'
import fs from 'node:fs'
import {tools} from '../install.mjs'
import {check, files, kib, memory, number, param, size} from './lib.mjs'

const makers = {
  webp: (image) => image.webp({quality: number('QUALITY', 80)}),
  avif: (image) => image.avif({quality: Math.max(1, number('QUALITY', 80) - 20)}),
}
const mark = (hash) => ({IFD0: {ImageDescription: `redundctl ${hash}`}})

await check('image-optimizer', async () => {
  const most = size(param('MAX_SIZE', '300KiB'))
  const ignored = param('IGNORE').split(',').map((s) => s.trim()).filter(Boolean)
  const {load} = await tools('site')
  const {default: sharp} = await load('sharp')
  const folder = param('IMAGES', 'src')
  const all = files(folder, /\.(jpe?g|png|webp|avif|gif)$/i)
  const found = {findings: [], notes: [], made: [], done: 0}
  const {kept, save} = memory('images')
  for (const file of all) await look(sharp, file, {all, most, ignored, found, kept})
  for (const key of Object.keys(kept)) if (!fs.existsSync(key)) delete kept[key]
  save()
  return {
    checked: `${all.length} images in ${folder}, ${found.made.length} ${found.made.length === 1 ? 'copy' : 'copies'} made, ${found.done} were there`,
    findings: found.findings, notes: found.notes, data: {made: found.made},
  }
})

async function look(sharp, file, {all, most, ignored, found, kept}) {
  const original = fs.readFileSync(file)
  const hash = createHash('sha256').update(original).digest('hex').slice(0, 16)
  let smallest
  try {
    if (/\.(jpe?g|png)$/i.test(file)) smallest = await variants(sharp, file, {original, hash, found, kept})
    else await sharp(original).metadata()
    if (original.length <= most || ignored.includes(file)) return
    // The same picture in its own format: what an original over the limit could weigh without any other change.
    const again = await sharp(original, {animated: true}).toBuffer()
    if (!smallest || again.length < smallest.bytes) smallest = {bytes: again.length, as: 'the same format, packed anew'}
  } catch (err) {
    found.findings.push({file, rule: 'unreadable', message: `sharp cannot read it: ${err.message}`})
    return
  }
  if (smallest.bytes < original.length) {
    found.findings.push({file, rule: 'too-heavy', message: `${kib(original.length)} is above ${kib(most)}, and it could be ${kib(smallest.bytes)} as ${smallest.as}`})
  } else found.notes.push(`${file} has ${kib(original.length)} and cannot be made smaller`)
}

/** Makes what is missing and gives the smallest: {bytes, as}. */
async function variants(sharp, file, {original, hash, found, kept}) {
  let smallest
  for (const [format, make] of Object.entries(makers)) {
    const to = file.replace(/\.[^.]+$/, `.${format}`)
    let bytes = kept[file]?.hash === hash ? kept[file][format] : undefined
    if (fs.existsSync(to)) {
      found.done++
      bytes = fs.statSync(to).size
      const of = await origin(sharp, to)
      if (of && of !== hash) {
        found.notes.push(`${to} was made of an older ${file}: remove it and it is made anew`)
        continue
      }
    } else if (bytes === undefined || bytes < original.length) {
      const image = await make(sharp(original).rotate()).withExif(mark(hash)).toBuffer()
      bytes = image.length
      if (bytes < original.length && write(to, image)) found.made.push({file: to, of: file, was: original.length, is: bytes})
    }
    kept[file] = {...(kept[file]?.hash === hash ? kept[file] : {}), hash, [format]: bytes}
    if (!smallest || bytes < smallest.bytes) smallest = {bytes, as: to}
  }
  return smallest ?? {bytes: Infinity, as: ''}
}

/** The hash of what a copy of ours was made of; '' for somebody else's. */
async function origin(sharp, file) {
  const {exif} = await sharp(file).metadata().catch(() => ({})) // one that is broken is found by its own name
  return /redundctl ([0-9a-f]{16})/.exec(exif?.toString('latin1') ?? '')?.[1] ?? ''
}

/** Writes a whole file, or none; one that is there meanwhile stays. */
function write(to, image) {
  const part = `${to}.redundctl-${process.pid}`
  fs.writeFileSync(part, image)
  try {
    link(part, to)
    return true
  } catch (err) {
    if (err.code !== 'EEXIST') throw err
    return false
  } finally {
    fs.rmSync(part)
  }
}

/** Gives a file a second name, which must be new; a copy where there are no hard links. */
function link(from, to) {
  try {
    fs.linkSync(from, to)
  } catch (err) {
    if (err.code === 'EEXIST') throw err
    fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL)
  }
}
