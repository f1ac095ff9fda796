import { BatchRefusal } from './batch-refusal.ts'
import { MAX_DATAPOINTS } from './parsed-batch.ts'

/**
 * Arrays, objects and commas: what the tree of a JSON text costs memory for, up to some 90 bytes each. A datapoint
 * has two (`[ts, value]`) to six, which leaves as many to fields that are unknown here. Without a bound a body of
 * 16 MiB of `{},` would make a tree of 400 MiB, in an isolate that has 128.
 */
export const MAX_JSON_NODES = 12 * MAX_DATAPOINTS
/**
 * Objects cost twice as much, where each has keys of its own; in lists they come with a comma each, but within each
 * other (`{"a":{"b":{`) with none.
 */
export const MAX_JSON_OBJECTS = MAX_JSON_NODES / 2

/** In a text no longer than this commas alone are cheap, and need not be counted. */
const LONG = 2 * 1024 * 1024

interface Nodes {
  objects: number
  /** Objects among them. */
  all: number
}

/** Throws a BatchRefusal when the tree of `text` would be too large to build. Less than a tenth of parsing's time. */
export function refuseTooManyNodes(text: string): void {
  if (text.length <= MAX_JSON_OBJECTS || fits(nodesAnywhere(text)) || fits(nodesOutsideStrings(text))) return
  throw new BatchRefusal(
    'payload_too_large',
    `A batch holds at most ${MAX_JSON_NODES} JSON arrays, objects and commas, and ${MAX_JSON_OBJECTS} objects of them; send it in smaller batches.`,
  )
}

const fits = ({ objects, all }: Nodes) => objects <= MAX_JSON_OBJECTS && all <= MAX_JSON_NODES

function nodesAnywhere(text: string): Nodes {
  const objects = countUpTo(text, '{', MAX_JSON_OBJECTS)
  let all = objects
  for (const mark of text.length > LONG ? '[,' : '[') all += countUpTo(text, mark, MAX_JSON_NODES - all)
  return { objects, all }
}

/** To one more than `max`. Searching for the next one is several times faster than looking at each character. */
function countUpTo(text: string, mark: string, max: number): number {
  let count = 0
  for (let at = text.indexOf(mark); at >= 0 && count <= max; at = text.indexOf(mark, at + 1)) count += 1
  return count
}

const [QUOTE, COMMA, BACKSLASH, BRACKET, BRACE] = [0x22, 0x2c, 0x5c, 0x5b, 0x7b] as const

function nodesOutsideStrings(text: string): Nodes {
  const nodes = { objects: 0, all: 0 }
  let inString = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (inString && code === BACKSLASH) at += 1
    else if (code === QUOTE) inString = !inString
    else if (!inString && (code === COMMA || code === BRACKET || code === BRACE)) {
      nodes.all += 1
      if (code === BRACE) nodes.objects += 1
    }
  }
  return nodes
}
