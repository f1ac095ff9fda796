import { DEFAULT_DEVICE, seriesSuffix } from './series-naming.ts'

/** Measurement and tags of a line: what InfluxDB calls the series key. */
export interface LineHead {
  device: string
  measurement: string
  /** `,tag=value` of every tag that does not name the device, sorted by tag. */
  suffix: string
}

const DEFAULT_DEVICE_TAGS = ['device', 'host']
/** Names that are within bounds are, escaped, much shorter together; tags without end would take memory without end. */
const MAX_HEAD_LENGTH = 4096
/** Out of bounds, as every name of a head that is too long. */
const NAMELESS: LineHead = { device: '', measurement: '', suffix: '' }

/** The raw text before the first space of a line, taken apart; undefined: it is malformed. */
export function parseHead(raw: string, deviceTag: string | undefined): LineHead | undefined {
  if (raw.length > MAX_HEAD_LENGTH) return NAMELESS
  const [measurement = '', ...pairs] = splitUnescaped(raw, ',')
  if (measurement === '') return undefined
  const tags = new Map<string, string>()
  for (const pair of pairs) {
    const [key = '', value = '', ...more] = splitUnescaped(pair, '=').map(unescapeName)
    if (key === '' || value === '' || more.length > 0 || tags.has(key)) return undefined
    tags.set(key, value)
  }
  const naming = (deviceTag === undefined ? DEFAULT_DEVICE_TAGS : [deviceTag]).find((tag) => tags.has(tag))
  const device = naming === undefined ? DEFAULT_DEVICE : tags.get(naming)!
  const suffix = seriesSuffix([...tags].filter(([tag]) => tag !== naming))
  if (suffix === undefined) return NAMELESS
  return { device, measurement: measurement.replace(/\\([, ])/g, '$1'), suffix }
}

/** Of tags and field keys. A backslash before anything else is a backslash. */
export const unescapeName = (raw: string): string =>
  raw.includes('\\') ? raw.replace(/\\([,= ])/g, '$1') : raw

function splitUnescaped(text: string, separator: string): string[] {
  const parts: string[] = []
  let from = 0
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + 1)) {
    if (text[at - 1] === '\\') continue
    parts.push(text.slice(from, at))
    from = at + 1
  }
  parts.push(text.slice(from))
  return parts
}
