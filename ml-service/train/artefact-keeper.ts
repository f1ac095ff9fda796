import type { Verdict } from '../baseline/baseline.ts'
import type { Series } from '../metric-lookup.ts'
import type { ModelRow } from './models-sql.ts'
import { type FoundArtefacts, isHead, type PreparedArtefact, prepareArtefact } from './recorded-artefacts.ts'
import { artefactOf, headOf, isCheckpoint, type Walk } from './walk.ts'

/** Besides a metric's first artefact, so many of the newest checkpoints stay: a late window rewinds to one of them. */
const KEPT_VERSIONS = 9

/**
 * Windows a run may walk again: storing a state costs about as much as walking over a hundred windows, so it
 * is not stored at each.
 */
const HEAD_WINDOWS = 12

/** What a run leaves of a metric's artefacts. */
export interface SettledArtefacts {
  record: PreparedArtefact[]
  /** Ids of entries to forget. */
  forget: string[]
  /** Files that nothing names any more, to be removed once the transaction has committed. */
  obsolete: string[]
}

/** Collects the artefacts a walk passes, and decides which of a metric's artefacts stay. */
export class ArtefactKeeper {
  readonly #series: Series
  readonly #found: FoundArtefacts
  #first: PreparedArtefact | undefined
  #newest: PreparedArtefact[] = []
  #head: PreparedArtefact | undefined
  /** Windows learned at the newest artefact. */
  #keptAt: number

  constructor(series: Series, found: FoundArtefacts, walk: Walk) {
    this.#series = series
    this.#found = found
    this.#keptAt = walk.baseline.windows
  }

  /** The artefact that a verdict rests on: the one the walk began with, or the first it passed. */
  modelOf(verdict: Verdict): string | null {
    if (verdict.state === 'learning') return null
    return this.#found.recorded?.model.id ?? this.#first?.model.id ?? null
  }

  /** Whether a later run has something to begin with. */
  get hasArtefact(): boolean {
    return this.#first !== undefined || this.#found.recorded !== undefined
  }

  /** To be called after each window. */
  pass(walk: Walk): void {
    if (!isCheckpoint(walk)) return
    const prepared = prepareArtefact(artefactOf(walk, this.#series), '.json')
    this.#keptAt = walk.baseline.windows
    if (this.#first === undefined) this.#first = prepared
    else this.#newest.push(prepared)
    if (this.#newest.length > KEPT_VERSIONS) this.#newest.shift()
  }

  /** To be called where a run ends, so that the next one begins near there. */
  end(walk: Walk): void {
    if (!this.hasArtefact || walk.baseline.windows < this.#keptAt + HEAD_WINDOWS) return
    this.#head = prepareArtefact(headOf(walk, this.#series), '.head.json')
  }

  settle(): SettledArtefacts {
    const { recorded, stale, older } = this.#found
    const fresh = [this.#head, ...this.#newest.toReversed(), this.#first].filter((one) => one !== undefined)
    const kept = [...fresh.map(({ model }) => model), ...(recorded ? [recorded.model] : []), ...older]
    const surplus = surplusOf(kept)
    const named = kept.filter((model) => !surplus.has(model))
    const isNamed = (key: 'id' | 'path', model: ModelRow) => named.some((other) => other[key] === model[key])
    const dropped = [...stale, ...surplus]
    return {
      record: fresh.filter(({ model }) => !surplus.has(model)),
      forget: dropped.filter((model) => !isNamed('id', model)).map(({ id }) => id),
      obsolete: dropped.filter((model) => !isNamed('path', model)).map((model) => model.path),
    }
  }
}

/** Of a metric's models, newest first, those that are one too many. */
function surplusOf(models: ModelRow[]): Set<ModelRow> {
  const checkpoints = models.filter((model) => !isHead(model))
  const pastHeads = models.slice(1).filter(isHead)
  return new Set([...pastHeads, ...checkpoints.slice(KEPT_VERSIONS, -1)])
}
