import { existsSync } from 'node:fs'
import sparticuz from '@sparticuz/chromium'
import { type Browser, chromium } from 'playwright-core'

/** The browser of this machine where it has one, else the one that came with the packages. */
export async function launchChromium(): Promise<Browser> {
  const installed = '/usr/bin/chromium'
  const executablePath = existsSync(installed) ? installed : await sparticuz.executablePath()
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] })
}
