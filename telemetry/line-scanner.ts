const [TAB, NEWLINE, RETURN, SPACE, QUOTE, BACKSLASH] = [9, 10, 13, 32, 34, 92] as const

/**
 * Reads line protocol from left to right. Loops instead of patterns: those with alternatives overflow the
 * stack of the regular expression engine on a line of megabytes.
 */
export class LineScanner {
  readonly #text: string
  #at = 0
  /** From 1. */
  line = 1

  constructor(text: string) {
    this.#text = text
  }

  get ended(): boolean {
    return this.#at >= this.#text.length
  }

  /** The next character; '' at the end. */
  get next(): string {
    return this.#text.charAt(this.#at)
  }

  get endsLine(): boolean {
    return this.ended || this.next === '\n'
  }

  /** Whether `char` came next, which it then no longer does. */
  take(char: string): boolean {
    if (this.next !== char) return false
    this.#at += 1
    return true
  }

  /** Tells whether there were any. */
  skipBlanks(): boolean {
    const from = this.#at
    for (; ; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== SPACE && code !== TAB && code !== RETURN) return this.#at > from
    }
  }

  /** Up to the first of `stops` that no backslash precedes, or to the end of the line. */
  takeUntil(stops: string): string {
    const from = this.#at
    for (; this.#at < this.#text.length; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at)
      if (code === NEWLINE) break
      if (!stops.includes(this.#text.charAt(this.#at))) continue
      if (this.#at === from || this.#text.charCodeAt(this.#at - 1) !== BACKSLASH) break
    }
    return this.#text.slice(from, this.#at)
  }

  /** Skips a text in quotes, which may hold line breaks. false, and nothing skipped, where it does not end. */
  skipText(): boolean {
    let lines = 0
    for (let at = this.#at + 1; at < this.#text.length; at += 1) {
      const code = this.#text.charCodeAt(at)
      if (code === NEWLINE) lines += 1
      else if (code === BACKSLASH && this.#text.charCodeAt(at + 1) !== NEWLINE) at += 1
      else if (code === QUOTE) {
        this.#at = at + 1
        this.line += lines
        return true
      }
    }
    return false
  }

  skipLine(): void {
    const end = this.#text.indexOf('\n', this.#at)
    this.#at = end < 0 ? this.#text.length : end + 1
    this.line += 1
  }
}
