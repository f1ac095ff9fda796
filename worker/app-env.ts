/** What every route finds in its context. */
export interface AppEnv {
  Bindings: Env
  Variables: { tenantId: string }
}
