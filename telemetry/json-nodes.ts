import { BatchRefusal } from './batch-refusal.ts'
import { MAX_DATAPOINTS } from './parsed-batch.ts'

/**
 * Arrays, objects and commas: what the tree of a JSON text costs memory for, up to some 90 bytes each. A datapoint
 * has two (`[ts, value]`) to six, which leaves as many to fields that are unknown here. Without a bound a body of
 * 16 MiB of `{},` would make a tree of 400 MiB, in an isolate that has 128.
 */
export const MAX_JSON_NODES = 12 * MAX_DATAPOINTS

/** In a text no longer than this commas alone are cheap, and need not be counted. */
const LONG = 2 * 1024 * 1024

/** Throws a BatchRefusal when the tree of `text` would be too large to build. Less than a tenth of parsing's time. */
export function refuseTooManyNodes(text: string): void {
  if (text.length <= MAX_JSON_NODES || countUpTo(text, text.length > LONG ? '[{,' : '[{') <= MAX_JSON_NODES)
    return
  if (countOutsideStrings(text) <= MAX_JSON_NODES) return
  throw new BatchRefusal(
    'payload_too_large',
    `A batch holds at most ${MAX_JSON_NODES} JSON arrays, objects and commas; send it in smaller batches.`,
  )
}

/** Searching for the next one is several times faster than looking at each character. */
function countUpTo(text: string, marks: string): number {
  let nodes = 0
  for (const mark of marks) {
    for (let at = text.indexOf(mark); at >= 0 && nodes <= MAX_JSON_NODES; at = text.indexOf(mark, at + 1))
      nodes += 1
  }
  return nodes
}

const [QUOTE, COMMA, BACKSLASH, BRACKET, BRACE] = [0x22, 0x2c, 0x5c, 0x5b, 0x7b] as const

function countOutsideStrings(text: string): number {
  let nodes = 0
  let inString = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (inString && code === BACKSLASH) at += 1
    else if (code === QUOTE) inString = !inString
    else if (!inString && (code === COMMA || code === BRACKET || code === BRACE)) nodes += 1
  }
  return nodes
}
