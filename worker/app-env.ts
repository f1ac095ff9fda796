/** What every route finds in its context. */
export interface AppEnv {
  Bindings: Env
  Variables: {
    tenantId: string
    /** W3C trace-id of the request. */
    traceId: string
  }
}
