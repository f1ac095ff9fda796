export interface Fault {
  path: string
  message: string
}

/** At most this many faults of one batch are told; the rest would only be more of the same. */
export const MAX_FAULTS = 20

/** A batch that is refused whole because of what it is: the sender must change it. */
export class BatchRefusal extends Error {
  override name = 'BatchRefusal'
  readonly code: 'invalid_json' | 'validation_failed' | 'payload_too_large'
  readonly faults: Fault[]

  constructor(code: BatchRefusal['code'], message: string, faults: Fault[] = []) {
    super(message)
    this.code = code
    this.faults = faults
  }
}
