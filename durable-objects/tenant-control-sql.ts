import type { KeyRecord, Plan, Scope, TenantConfig, TenantState } from './tenant-config.ts'

export const CONTROL_SCHEMA = [
  `create table tenant (
     one integer primary key check (one = 1),
     state text not null,
     plan text not null,
     version integer not null,
     deletion text,
     bucket text
   );
   create table keys (
     id text primary key,
     name text,
     hash text not null,
     scopes text not null,
     created_at integer not null,
     expires_at integer,
     revoked_at integer
   ) without rowid;
   create index keys_by_hash on keys (hash);
   create table shards (shard integer primary key, version integer not null);
   create table series (id integer primary key, hashes blob not null);`,
  'alter table tenant add column dedupe_since integer',
]

/** A key as the admin API lists it. */
export interface ApiKey extends KeyRecord {
  name: string | null
  createdAt: number
}

/** Where a key stands in the list: when it was made, in epoch ms, and its id. */
export type KeyPlace = readonly [createdAt: number, id: string]

const FIRST_PLACE: KeyPlace = [0, '']

type KeyRow = {
  id: string
  name: string | null
  hash: string
  scopes: string
  created_at: number
  expires_at: number | null
  revoked_at: number | null
}

const SELECT_KEYS = 'select id, name, hash, scopes, created_at, expires_at, revoked_at from keys'

const keyOf = ({ scopes, created_at, expires_at, revoked_at, ...key }: KeyRow): ApiKey => ({
  ...key,
  scopes: scopes.split(' ').filter((scope): scope is Scope => scope !== ''),
  createdAt: created_at,
  expiresAt: expires_at,
  revokedAt: revoked_at,
})

/** All SQL of a tenant's control object. Instants are epoch ms. */
export function controlStatements(sql: SqlStorage) {
  return {
    tenant: (): Omit<TenantConfig, 'keys'> | undefined => {
      const row = sql
        .exec<{ state: TenantState; plan: string; version: number; dedupeSince: number | null }>(
          'select state, plan, version, dedupe_since as dedupeSince from tenant',
        )
        .toArray()[0]
      return row && { ...row, plan: JSON.parse(row.plan) }
    },
    create: (plan: Plan) =>
      sql.exec(
        `insert into tenant (one, state, plan, version) values (1, 'active', ?, 1) on conflict do nothing`,
        JSON.stringify(plan),
      ),
    update: (state: TenantState, plan: Plan) =>
      sql.exec('update tenant set state = ?, plan = ?, version = version + 1', state, JSON.stringify(plan)),
    forgetBefore: (since: number) =>
      sql.exec('update tenant set dedupe_since = ?, version = version + 1', since),
    nextVersion: () => sql.exec('update tenant set version = version + 1'),

    keys: (): ApiKey[] => sql.exec<KeyRow>(SELECT_KEYS).toArray().map(keyOf),
    /** In the order of their creation, those after the place of a key. */
    keyPage: (limit: number, [createdAt, id]: KeyPlace = FIRST_PLACE): ApiKey[] =>
      sql
        .exec<KeyRow>(
          `${SELECT_KEYS} where (created_at, id) > (?, ?) order by created_at, id limit ?`,
          ...[createdAt, id, limit],
        )
        .toArray()
        .map(keyOf),
    key: (id: string): ApiKey | undefined =>
      sql.exec<KeyRow>(`${SELECT_KEYS} where id = ?`, id).toArray().map(keyOf)[0],
    keysByHash: (hash: string): ApiKey[] =>
      sql.exec<KeyRow>(`${SELECT_KEYS} where hash = ?`, hash).toArray().map(keyOf),
    addKey: ({ id, name, hash, scopes, createdAt, expiresAt }: ApiKey) =>
      sql.exec(
        `insert into keys (id, name, hash, scopes, created_at, expires_at) values (?, ?, ?, ?, ?, ?)`,
        ...[id, name, hash, scopes.join(' '), createdAt, expiresAt],
      ),
    revokeKey: (id: string, at: number) =>
      sql.exec('update keys set revoked_at = ? where id = ? and revoked_at is null', at, id),

    /** Ends a key's validity at `at` unless it ends before. */
    expireKey: (id: string, at: number) =>
      sql.exec('update keys set expires_at = min(coalesce(expires_at, ?), ?) where id = ?', at, at, id),

    deletion: () =>
      sql.exec<{ deletion: string | null }>('select deletion from tenant').toArray()[0]?.deletion,
    setDeletion: (deletion: string) => sql.exec('update tenant set deletion = ?', deletion),

    bucket: () => sql.exec<{ bucket: string | null }>('select bucket from tenant').toArray()[0]?.bucket,
    setBucket: (bucket: string) => sql.exec('update tenant set bucket = ?', bucket),

    addSeries: (hashes: Float64Array) => sql.exec('insert into series (hashes) values (?)', hashes),
    series: () => sql.exec<{ hashes: ArrayBuffer }>('select hashes from series'),

    removeShard: (shard: number) => sql.exec('delete from shards where shard = ?', shard),
    /** Remembers a shard and the version of the configuration it holds. */
    putShard: (shard: number, version: number) =>
      sql.exec(
        'insert into shards values (?, ?) on conflict do update set version = max(version, excluded.version)',
        ...[shard, version],
      ),
    shards: () =>
      sql
        .exec<{ shard: number }>('select shard from shards order by shard')
        .toArray()
        .map(({ shard }) => shard),
    shardsBehind: (version: number) =>
      sql
        .exec<{ shard: number }>('select shard from shards where version < ? order by shard', version)
        .toArray()
        .map(({ shard }) => shard),
  }
}
