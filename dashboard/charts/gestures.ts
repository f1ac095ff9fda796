import type { TimeAxis } from './time-axis.ts'

const WHEEL_ZOOM = 1.0015
/** Of a line or page of the wheel, in pixels. */
const LINE_PX = 16
const PAGE_PX = 400

/**
 * Fingers and wheels on a chart: one finger or a sideways wheel moves it, two fingers or the wheel with Ctrl zoom
 * it, the mouse with Shift drags it along. The wheel alone scrolls the page. Returns what ends that.
 */
export function bindGestures(element: HTMLElement, axis: TimeAxis): () => void {
  const pointers = new Map<number, number>()
  const ended = new AbortController()
  const { signal } = ended
  const shareAt = (clientX: number) => {
    const { left, width } = element.getBoundingClientRect()
    return (clientX - left) / width
  }

  const wheel = (event: WheelEvent) => {
    const pixels = event.deltaMode === 0 ? 1 : event.deltaMode === 1 ? LINE_PX : PAGE_PX
    const sideways = (event.shiftKey ? event.deltaX || event.deltaY : event.deltaX) * pixels
    if (event.ctrlKey || event.metaKey) {
      axis.zoom(WHEEL_ZOOM ** (event.deltaY * pixels), shareAt(event.clientX))
    } else if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) {
      axis.pan(sideways / element.clientWidth)
    } else return
    event.preventDefault()
  }
  const down = (event: PointerEvent) => {
    if (event.pointerType === 'mouse' && !(event.shiftKey && event.button === 0)) return
    pointers.set(event.pointerId, shareAt(event.clientX))
    element.setPointerCapture(event.pointerId)
  }
  const move = (event: PointerEvent) => {
    const before = [...pointers.values()]
    if (!pointers.has(event.pointerId)) return
    pointers.set(event.pointerId, shareAt(event.clientX))
    const [a = 0, b] = before
    const [c = 0, d] = [...pointers.values()]
    if (b === undefined || d === undefined) axis.pan(a - c)
    else axis.zoom(Math.max(0.05, Math.abs(a - b)) / Math.max(0.05, Math.abs(c - d)), (c + d) / 2)
  }
  const up = (event: PointerEvent) => pointers.delete(event.pointerId)

  element.addEventListener('wheel', wheel, { passive: false, signal })
  element.addEventListener('pointerdown', down, { signal })
  element.addEventListener('pointermove', move, { signal })
  for (const name of ['pointerup', 'pointercancel'] as const) element.addEventListener(name, up, { signal })
  return () => ended.abort()
}
