import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Api } from './api.ts'

export const ApiContext = createContext<Api | undefined>(undefined)

/** The API under the key that was entered; only pages shown after that call this. */
export function useApi(): Api {
  const api = useContext(ApiContext)
  if (!api) throw new Error('Cannot use the API before a key was entered.')
  return api
}
