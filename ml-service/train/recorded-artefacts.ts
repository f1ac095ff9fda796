import * as v from 'valibot'
import { type Artefact, decodeArtefact, encodeArtefact, FORMAT, sha256Of } from '../baseline/artefact.ts'
import type { Database } from '../database.ts'
import { derivedId } from '../derived-id.ts'
import { countParts } from '../features/windows-sql.ts'
import { log, messageOf } from '../log.ts'
import { MetricError } from '../metric-error.ts'
import type { Series } from '../metric-lookup.ts'
import type { ArtefactStore } from './artefact-store.ts'
import { inParallel } from './in-parallel.ts'
import { type ModelRow, selectModels, upsertModels } from './models-sql.ts'

export interface Recorded {
  model: ModelRow
  artefact: Artefact
}

/** What is recorded of one metric. */
export interface FoundArtefacts {
  /** The newest artefact that still describes what is stored; undefined when there is none. */
  recorded: Recorded | undefined
  /** The newer ones that do not: they hold a past that is no longer true. */
  stale: ModelRow[]
  older: ModelRow[]
}

/** Whose artefacts are looked for, as of which time. */
export interface WantedArtefact {
  series: Series
  until: number
  /** No window that starts before has changed since scoring last settled the artefacts; left out: not known. */
  changedFrom?: number
}

interface Search {
  wanted: WantedArtefact
  candidates: ModelRow[]
  /** Which candidate. */
  at: number
  artefact: Artefact | undefined
}

/**
 * For each metric (all of one tenant) the newest artefact that ends by `until` and still describes what is
 * stored: its file is whole, and no part of a window it learned has arrived since. One that is damaged or
 * missing is reported and an older one taken. A metric fails, and has no entry in `found`, whose artefact comes
 * from a newer version or whose store does not answer.
 */
export async function newestArtefacts(
  db: Database,
  store: ArtefactStore,
  tenantId: string,
  allWanted: WantedArtefact[],
): Promise<{ found: Map<string, FoundArtefacts>; failures: MetricError[] }> {
  const ids = allWanted.map(({ series }) => series.metricId)
  const models = Map.groupBy(await selectModels(db, tenantId, ids), ({ metricId }) => metricId)
  const searches = allWanted.map((wanted): Search => {
    const { series, until } = wanted
    const candidates = (models.get(series.metricId) ?? []).filter(({ trainedUntil }) => trainedUntil <= until)
    return { wanted, candidates, at: 0, artefact: undefined }
  })
  const failed = new Map<string, MetricError>()
  for (let open = searches; open.length > 0; ) {
    await inParallel(open, async (search) => {
      const model = search.candidates[search.at]
      const { series } = search.wanted
      try {
        search.artefact = model && (await readArtefact(store, series, model))
      } catch (error) {
        failed.set(series.metricId, new MetricError(series, error))
      }
    })
    const holding = await stillHolding(db, tenantId, open)
    open = open.filter(
      ({ wanted, candidates, at, artefact }) =>
        !failed.has(wanted.series.metricId) && !holding.has(artefact) && at < candidates.length,
    )
    for (const search of open) {
      search.artefact = undefined
      search.at += 1
    }
  }
  const found = searches
    .filter(({ wanted }) => !failed.has(wanted.series.metricId))
    .map(({ wanted, candidates, at, artefact }) => {
      const model = candidates[at]
      const recorded = model && artefact && { model, artefact }
      const others = { stale: candidates.slice(0, at), older: candidates.slice(at + 1) }
      return [wanted.series.metricId, { recorded, ...others }] as const
    })
  return { found: new Map(found), failures: [...failed.values()] }
}

/** An artefact ready to be stored: its text is fixed, whatever its baseline learns afterwards. */
export interface PreparedArtefact {
  key: { tenantId: string; metricId: string }
  model: ModelRow
  text: string
}

const HEAD_SUFFIX = '.head.json'
const TRAINED_SUFFIX = '.trained.json'

/** Whether a model lies between checkpoints: only the newest one of a metric is kept. */
export const isHead = (model: ModelRow): boolean => model.path.endsWith(HEAD_SUFFIX)

/** Whether `train` made it: it may end behind all that was scored, where scoring does not keep it true. */
const isTrained = (model: ModelRow): boolean => model.path.endsWith(TRAINED_SUFFIX)

export function prepareArtefact(
  artefact: Artefact,
  suffix: '.json' | typeof HEAD_SUFFIX | typeof TRAINED_SUFFIX,
): PreparedArtefact {
  const { tenantId, metricId, trainedUntil } = artefact
  const text = encodeArtefact(artefact)
  const sha256 = sha256Of(text)
  const stamp = new Date(trainedUntil).toISOString().replaceAll(/[-:]|\.000/g, '')
  return {
    key: { tenantId, metricId },
    model: {
      id: derivedId('model', tenantId, metricId, trainedUntil),
      path: `${tenantId}/${metricId}/${stamp}-${sha256.slice(0, 12)}${suffix}`,
      sha256,
      trainedUntil,
    },
    text,
  }
}

/**
 * Writes the files, then their entries: an entry never names a file that is not there. Returns the files that
 * entries named before, to be removed once the transaction has committed.
 */
export async function recordArtefacts(
  db: Database,
  store: ArtefactStore,
  tenantId: string,
  artefacts: PreparedArtefact[],
): Promise<string[]> {
  if (artefacts.length === 0) return []
  await inParallel(artefacts, ({ model, text }) => store.write(model.path, text))
  const rows = artefacts.map(({ key, model }) => ({ ...key, ...model }))
  return upsertModels(db, tenantId, rows)
}

/** What stays behind costs space, nothing else. */
export async function removeArtefacts(store: ArtefactStore, paths: string[]): Promise<void> {
  try {
    await inParallel(paths, (artefactPath) => store.remove(artefactPath))
  } catch (error) {
    log('warn', 'artefacts_not_removed', { error: messageOf(error) })
  }
}

/** A file that is gone or damaged is as good as none: the walk starts from an older one. */
async function readArtefact(
  store: ArtefactStore,
  series: Series,
  model: ModelRow,
): Promise<Artefact | undefined> {
  const { tenantId, metricId } = series
  const about = { tenant_id: tenantId, metric_id: metricId, path: model.path }
  const text = await store.read(model.path) // a store that does not answer is no damage
  if (text === undefined || sha256Of(text) !== model.sha256) {
    const problem = text === undefined ? 'missing' : 'other than its checksum'
    log('error', 'artefact_unusable', { ...about, reason: problem })
    return undefined
  }
  refuseNewer(model, text)
  try {
    const artefact = decodeArtefact(text)
    if (artefact.tenantId !== tenantId || artefact.metricId !== metricId)
      throw new RangeError('It is of another metric.')
    return artefact
  } catch (error) {
    const cause = messageOf(error)
    log('error', 'artefact_unusable', { ...about, error: cause })
  }
  return undefined
}

const formatSchema = v.pipe(v.string(), v.parseJson(), v.object({ format: v.number() }))

/** An older version must not take for damaged, and remove, what a newer one wrote beside it. */
function refuseNewer(model: ModelRow, text: string): void {
  const parsed = v.safeParse(formatSchema, text)
  if (!parsed.success || parsed.output.format <= FORMAT) return
  throw new RangeError(
    `The model artefact ${model.path} has format ${parsed.output.format} and this version reads up to ${FORMAT}: update the service.`,
  )
}

/**
 * Those among the artefacts that still describe what is stored: nothing changed in what they learned, or its parts are as
 * many as they were. Counting them goes through a metric's whole past, so it is left to where something changed.
 */
async function stillHolding(
  db: Database,
  tenantId: string,
  searches: Search[],
): Promise<Set<Artefact | undefined>> {
  const holding = new Set<Artefact | undefined>()
  const doubtful: Artefact[] = []
  for (const { artefact, wanted, candidates, at } of searches) {
    if (artefact === undefined) continue
    const { changedFrom = Number.NEGATIVE_INFINITY } = wanted
    if (artefact.trainedUntil <= changedFrom && !isTrained(candidates[at]!)) holding.add(artefact)
    else doubtful.push(artefact)
  }
  if (doubtful.length === 0) return holding
  const stretches = doubtful.flatMap(({ metricId, ledger }) =>
    ledger.map(({ until }, i) => ({ metricId, since: ledger[i - 1]?.until, until })),
  )
  const counted = await countParts(db, tenantId, stretches)
  let taken = 0
  for (const artefact of doubtful) {
    const parts = counted.slice(taken, taken + artefact.ledger.length)
    taken += artefact.ledger.length
    if (holds(artefact.ledger, parts)) holding.add(artefact)
  }
  return holding
}

/** Retention takes the oldest parts; any other loss, and any addition, means a changed past. */
function holds(ledger: Artefact['ledger'], counted: number[]): boolean {
  let kept = 0
  for (const [i, { parts }] of ledger.entries()) {
    const found = counted[i] ?? 0
    if (found > parts || (found < parts && kept > 0)) return false
    kept += found
  }
  return true
}
