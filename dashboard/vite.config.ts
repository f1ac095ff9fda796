import { defineConfig, loadEnv } from 'vite'
import { headersPlugin } from './headers-plugin.ts'
import { referencePlugin } from './reference-plugin.ts'

/** VITE_API_BASE_URL stands in the repository's .env, beside every other variable. */
const ENV_DIR = '..'

/** Run as `vite build dashboard`: paths are relative to this folder. The Worker serves `dist` as its assets. */
export default defineConfig(({ mode }) => {
  const env = loadEnv(mode, decodeURIComponent(new URL(ENV_DIR, import.meta.url).pathname))
  return {
    envDir: ENV_DIR,
    plugins: [headersPlugin(env['VITE_API_BASE_URL']), referencePlugin()],
    build: {
      outDir: 'dist',
      emptyOutDir: true,
      // A data: URL would need its own exception in the Content-Security-Policy.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  }
})
