const STORAGE_KEY = 'edgepulse.api-key'

/** The key lives as long as the tab: session storage is never shared with another tab or written to disk by us. */
export const session = {
  load: (): string | null => sessionStorage.getItem(STORAGE_KEY),
  save: (key: string): void => sessionStorage.setItem(STORAGE_KEY, key),
  clear: (): void => sessionStorage.removeItem(STORAGE_KEY),
}
