import { useState } from 'preact/hooks'

/** Something the reader sets off: whether it is under way, and why it last failed. */
export function useAction() {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<Error>()
  const run = async (work: () => Promise<void>) => {
    setBusy(true)
    setError(undefined)
    await work().catch(setError)
    setBusy(false)
  }
  return { busy, error, run }
}
