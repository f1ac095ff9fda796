import type {} from 'vitest'

/** What the global setup hands to tests by `inject`. */
declare module 'vitest' {
  export interface ProvidedContext {
    /** The migrated test database, as its owner; tests keep apart by using tenants of their own. */
    databaseUrl: string
    /** Variables and secrets of the Worker under test. */
    workerBindings: Record<string, string>
    /** Whether the JSON logs of what is under test are shown. */
    showLogs: boolean
  }
}
