import { setTimeout } from 'node:timers/promises'

/** Does not keep a process alive that has nothing else to wait for. */
export const sleep = (ms: number): Promise<void> => setTimeout(ms, undefined, { ref: false })
