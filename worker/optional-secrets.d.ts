/** Secrets that a Worker may do without: wrangler.toml names, and wrangler types, required ones alone. */
interface __BaseEnv_Env {
  API_KEY_MAC_SECRET_PREVIOUS?: string
}
