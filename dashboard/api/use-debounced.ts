import { useEffect, useState } from 'preact/hooks'

/** `value` once its content has not changed for `delayMs`: what is typed is asked for in one piece. */
export function useDebounced<T>(value: T, delayMs = 250): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), delayMs)
    return () => clearTimeout(timer)
  }, [JSON.stringify(value), delayMs])
  return settled
}
