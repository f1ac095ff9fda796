import { type Artefact, decodeArtefact, encodeArtefact, sha256Of } from '../baseline/artefact.ts'
import type { Database } from '../database.ts'
import { derivedId } from '../derived-id.ts'
import { countParts } from '../features/windows-sql.ts'
import { log, messageOf } from '../log.ts'
import type { Series } from '../metric-lookup.ts'
import type { ArtefactStore } from './artefact-store.ts'
import { type ModelRow, selectModels, upsertModel } from './models-sql.ts'

export interface Recorded {
  model: ModelRow
  artefact: Artefact
}

/**
 * The newest artefact that ends by `until` and still describes what is stored: its file is whole, and no
 * part of a window it learned has arrived since. Undefined when there is none. `stale` are the newer ones
 * that failed: they hold a past that is no longer true.
 */
export async function newestArtefact(
  db: Database,
  store: ArtefactStore,
  series: Series,
  until: number,
): Promise<{ recorded: Recorded | undefined; stale: ModelRow[]; older: ModelRow[] }> {
  const models = await selectModels(db, series, until)
  for (const [i, model] of models.entries()) {
    const artefact = await readArtefact(store, series, model)
    if (artefact === undefined || !(await stillHolds(db, artefact))) continue
    return { recorded: { model, artefact }, stale: models.slice(0, i), older: models.slice(i + 1) }
  }
  return { recorded: undefined, stale: models, older: [] }
}

/** An artefact ready to be stored: its text is fixed, whatever its baseline learns afterwards. */
export interface PreparedArtefact {
  key: { tenantId: string; metricId: string }
  model: ModelRow
  text: string
}

export function prepareArtefact(artefact: Artefact): PreparedArtefact {
  const { tenantId, metricId, trainedUntil } = artefact
  const text = encodeArtefact(artefact)
  const sha256 = sha256Of(text)
  const stamp = new Date(trainedUntil).toISOString().replaceAll(/[-:]|\.000/g, '')
  return {
    key: { tenantId, metricId },
    model: {
      id: derivedId('model', tenantId, metricId, trainedUntil),
      path: `${tenantId}/${metricId}/${stamp}-${sha256.slice(0, 12)}.json`,
      sha256,
      trainedUntil,
    },
    text,
  }
}

/** Writes the file, then its entry: an entry never names a file that is not there. */
export async function recordArtefact(
  db: Database,
  store: ArtefactStore,
  { key, model, text }: PreparedArtefact,
): Promise<void> {
  await store.write(model.path, text)
  await upsertModel(db, key, model)
}

/** A file that is gone or damaged is as good as none: the walk starts from an older one. */
async function readArtefact(
  store: ArtefactStore,
  { tenantId, metricId }: Series,
  model: ModelRow,
): Promise<Artefact | undefined> {
  const about = { tenant_id: tenantId, metric_id: metricId, path: model.path }
  try {
    const text = await store.read(model.path)
    if (text !== undefined && sha256Of(text) === model.sha256) {
      const artefact = decodeArtefact(text)
      if (artefact.tenantId === tenantId && artefact.metricId === metricId) return artefact
    }
    log('warn', 'a model artefact is missing or does not match its checksum; using an older one', about)
  } catch (error) {
    log('warn', 'a model artefact cannot be read; using an older one', { ...about, error: messageOf(error) })
  }
  return undefined
}

/** Retention takes the oldest parts; any other loss, and any addition, means a changed past. */
async function stillHolds(db: Database, artefact: Artefact): Promise<boolean> {
  const { ledger } = artefact
  const untils = ledger.map((entry) => entry.until)
  const counted = await countParts(db, artefact, untils)
  let kept = 0
  for (const [i, { parts }] of ledger.entries()) {
    const found = counted[i] ?? 0
    if (found > parts || (found < parts && kept > 0)) return false
    kept += found
  }
  return true
}
