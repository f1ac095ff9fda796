/**
 * Brings an object's SQLite to the newest schema: `steps` is append-only, and the number of steps applied is
 * kept in the database. Cheap when there is nothing to do. Throws when the storage was written by newer code.
 */
export function migrateStorage(storage: DurableObjectStorage, steps: string[]): void {
  const { sql } = storage
  sql.exec('create table if not exists schema_version (version integer not null)')
  const applied = Number(sql.exec('select version from schema_version').toArray()[0]?.['version'] ?? 0)
  if (applied > steps.length)
    throw new Error(`Storage is at schema ${applied}, this code knows ${steps.length}.`)
  if (applied === steps.length) return
  storage.transactionSync(() => {
    for (const step of steps.slice(applied)) sql.exec(step)
    sql.exec('delete from schema_version')
    sql.exec('insert into schema_version (version) values (?)', steps.length)
  })
}
