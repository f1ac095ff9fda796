import { useEffect, useState } from 'preact/hooks'

const NAMES = [
  'median',
  'band',
  'expected',
  'anomalous',
  'score',
  'learning',
  'alert',
  'grid',
  'axis',
] as const

export type ChartColours = Record<(typeof NAMES)[number], string>

/** A canvas cannot use CSS variables, so their values are read, again whenever light turns to dark. */
export function useChartColours(): ChartColours {
  const [colours, setColours] = useState(readColours)
  useEffect(() => {
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const update = () => setColours(readColours())
    scheme.addEventListener('change', update)
    return () => scheme.removeEventListener('change', update)
  }, [])
  return colours
}

function readColours(): ChartColours {
  const style = getComputedStyle(document.documentElement)
  const entries = NAMES.map((name) => [name, style.getPropertyValue(`--chart-${name}`).trim()])
  return Object.fromEntries(entries) as ChartColours
}
