import { defineConfig } from 'vite'

/** Run as `vite build dashboard`: paths are relative to this folder. The Worker serves `dist` as its assets. */
export default defineConfig({
  // VITE_API_BASE_URL stands in the repository's .env, beside every other variable.
  envDir: '..',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // A data: URL would need its own exception in a Content-Security-Policy of `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})
