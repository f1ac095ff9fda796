import type { Verdict } from '../baseline/baseline.ts'
import type { Database } from '../database.ts'
import type { Series } from '../metric-lookup.ts'
import type { ArtefactStore } from './artefact-store.ts'
import { deleteModels, type ModelRow } from './models-sql.ts'
import {
  type PreparedArtefact,
  prepareArtefact,
  type Recorded,
  recordArtefact,
} from './recorded-artefacts.ts'
import { artefactOf, type Walk } from './walk.ts'

/** Besides a metric's first artefact, so many of the newest stay: a late window rewinds to one of them. */
const KEPT_VERSIONS = 9

/** Collects the artefacts a walk passes, and decides which of a metric's artefacts stay. */
export class ArtefactKeeper {
  readonly #series: Series
  readonly #found: { recorded: Recorded | undefined; stale: ModelRow[]; older: ModelRow[] }
  readonly #startModelId: string | undefined
  #first: PreparedArtefact | undefined
  #newest: PreparedArtefact[] = []

  constructor(
    series: Series,
    found: { recorded: Recorded | undefined; stale: ModelRow[]; older: ModelRow[] },
  ) {
    this.#series = series
    this.#found = found
    this.#startModelId = found.recorded?.model.id
  }

  /** The artefact that a verdict rests on: the one the walk began with, or the first it passed. */
  modelOf(verdict: Verdict): string | null {
    if (verdict.state === 'learning') return null
    return this.#startModelId ?? this.#first?.model.id ?? null
  }

  keep(walk: Walk): void {
    const prepared = prepareArtefact(artefactOf(walk, this.#series))
    if (this.#first === undefined) this.#first = prepared
    else this.#newest.push(prepared)
    if (this.#newest.length > KEPT_VERSIONS) this.#newest.shift()
  }

  /**
   * Records what was collected, forgets stale and superfluous entries, and returns the files that nothing
   * names any more, to be removed once the transaction has committed.
   */
  async store(db: Database, store: ArtefactStore): Promise<string[]> {
    const fresh = this.#first ? [this.#first, ...this.#newest] : []
    const { recorded, stale, older } = this.#found
    const kept = [
      ...fresh.map(({ model }) => model).reverse(),
      ...(recorded ? [recorded.model] : []),
      ...older,
    ]
    const surplus = kept.slice(KEPT_VERSIONS, -1)
    const replaced = stale.filter(({ id }) => !kept.some((model) => model.id === id))
    const dropped = [...replaced, ...surplus]
    if (dropped.length > 0) {
      const ids = dropped.map(({ id }) => id)
      await deleteModels(db, this.#series, ids)
    }
    const surplusIds = new Set(surplus.map(({ id }) => id))
    for (const artefact of fresh) {
      if (!surplusIds.has(artefact.model.id)) await recordArtefact(db, store, artefact)
    }
    const named = new Set(kept.filter(({ id }) => !surplusIds.has(id)).map((model) => model.path))
    return [...stale, ...surplus].map((model) => model.path).filter((path) => !named.has(path))
  }
}
