import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { migrate } from '../migrations/migrate.ts'
import { buildStale } from './build-stale.ts'
import { copyDashboard } from './dashboard-build.ts'
import { writeDevFile } from './dev-file.ts'
import { startMl } from './ml-process.ts'
import { type NeonProxy, startNeonProxy } from './neon-proxy.ts'
import { keepRunning, type Part, type RunningPart } from './part.ts'
import { requireFreePort } from './ports.ts'
import { startPostgres } from './postgres.ts'
import type { Progress } from './progress.ts'
import { loadSecrets, type Secrets } from './secrets.ts'
import { type ServiceUrls, serviceLogins } from './service-logins.ts'
import { type Settings, SettingsError } from './settings.ts'
import { claimStateFolder, type StateFolder } from './state-folder.ts'
import { workerBindings } from './worker-bindings.ts'
import { bundleOf } from './worker-bundle.ts'
import { startWorker } from './worker-process.ts'

export interface StackOptions {
  settings: Settings
  progress: Progress
  /** For the demo, whose webhook receiver is on this machine. */
  allowPrivateWebhooks: boolean
}

/** Seconds between two looks of the ML service for due work. */
const ML_EVERY = 3

/** Everything that runs on one machine, supervised by this process. `stop` may be called at any time. */
export class Stack {
  readonly url: string
  readonly #options: StackOptions
  readonly #aborted = new AbortController()
  #folder: StateFolder | undefined
  #secrets: Secrets | undefined
  #databaseUrl = ''
  #serviceUrls: ServiceUrls | undefined
  #proxy: NeonProxy | undefined
  #parts: Partial<Record<'postgres' | 'worker' | 'ml', Part>> = {}
  #watch: NodeJS.Timeout | undefined

  constructor(options: StackOptions) {
    this.#options = options
    this.url = `http://127.0.0.1:${options.settings.port}`
  }

  get databaseUrl(): string {
    return this.#databaseUrl
  }

  get adminToken(): string {
    return this.#secrets?.ADMIN_TOKEN ?? ''
  }

  /**
   * Starts every part and writes dev.json. Throws in one sentence; the caller then calls `stop`. `onLost` is
   * called when the state folder is deleted: nothing can go on without it.
   */
  async start(onLost: (error: Error) => void): Promise<void> {
    const { settings, progress } = this.#options
    this.#folder = await claimStateFolder(settings.stateDir, progress.step)
    this.#watch = setInterval(() => {
      const lost = this.#lostFolder()
      if (lost) onLost(lost)
    }, 500)
    await this.#startParts().catch(async (error) => {
      if (error instanceof SettingsError) throw error
      throw (await this.#lostFolderSoon()) ?? error // the reason behind whatever failed
    })
    this.#writeDevFile()
  }

  async #startParts(): Promise<void> {
    const { settings, progress } = this.#options
    await requireFreePort(settings.port, 'EDGEPULSE_PORT')
    this.#secrets = loadSecrets(settings.stateDir, settings.environment)
    await Promise.all([this.#build(), this.#startDatabase()])
    this.#parts.worker = await this.#keep('The Worker', () => this.#startWorker())
    progress.step(`The Worker answers at ${this.url}.`)
    this.#parts.ml = await this.#keep('The ML service', () => this.#startMl())
    progress.step('The ML service is up.')
  }

  /** Bundles the Worker again and runs the new code. Throws, leaving the old one running, when it has errors. */
  async reloadWorker(): Promise<void> {
    await this.#build()
    await this.#parts.worker?.reload()
  }

  async reloadMl(): Promise<void> {
    await this.#parts.ml?.reload()
  }

  /** Ends what runs, the database last, and leaves the state folder to the next start. */
  async stop(): Promise<void> {
    this.#aborted.abort()
    clearInterval(this.#watch)
    await this.#parts.ml?.stop()
    await this.#parts.worker?.stop()
    await this.#proxy?.stop()
    await this.#parts.postgres?.stop()
    await this.#folder?.endRecorded() // what was still starting
    this.#folder?.release()
  }

  #build(): Promise<void> {
    const { settings, progress } = this.#options
    const tool = { environment: settings.environment, signal: this.#aborted.signal }
    return buildStale(this.#place('worker'), tool, progress.step)
  }

  async #startDatabase(): Promise<void> {
    const { settings, progress } = this.#options
    if (settings.databaseUrl) {
      this.#databaseUrl = settings.databaseUrl
    } else {
      await requireFreePort(settings.pgPort, 'EDGEPULSE_PG_PORT')
      this.#parts.postgres = await this.#keep('Postgres', () => this.#startPostgres())
      progress.step(`Postgres answers on port ${settings.pgPort}.`)
    }
    const applied = await migrate(this.#databaseUrl)
    // Somebody else's server: its roles are not ours to change, and the services become them as they work.
    this.#serviceUrls = settings.databaseUrl
      ? { edge: this.#databaseUrl, ml: this.#databaseUrl }
      : await serviceLogins(this.#databaseUrl)
    if (applied.length > 0) progress.step(`The database has its tables (${applied.length} migrations).`)
    const { hostname, port } = new URL(this.#databaseUrl)
    if (hostname.endsWith('.neon.tech')) return // the Worker's driver reaches Neon by itself
    this.#proxy = await startNeonProxy({
      port: 0,
      postgresHost: hostname,
      postgresPort: Number(port || 5432),
    })
  }

  async #startPostgres(): Promise<RunningPart> {
    const postgres = await startPostgres({
      dir: this.#place('postgres'),
      port: this.#options.settings.pgPort,
      onSpawn: (name, pid) => this.#folder?.record(name, pid),
    })
    this.#databaseUrl = postgres.databaseUrl
    return postgres
  }

  async #startWorker(): Promise<RunningPart> {
    const { settings, allowPrivateWebhooks } = this.#options
    const secrets = this.#held(this.#secrets)
    const assetsDir = this.#place('dashboard')
    await copyDashboard(assetsDir)
    return startWorker({
      runner: {
        s3Credentials: {
          accessKeyId: secrets.S3_ACCESS_KEY_ID,
          secretAccessKey: secrets.S3_SECRET_ACCESS_KEY,
        },
        bundle: bundleOf(this.#place('worker')),
        assetsDir,
        port: settings.port,
        persistDir: this.#place('platform'),
        bindings: workerBindings({
          environment: settings.environment,
          secrets,
          databaseUrl: this.#held(this.#serviceUrls).edge,
          proxyPort: this.#proxy?.port,
          allowPrivateWebhooks,
        }),
      },
      environment: settings.environment,
      logFile: this.#place('worker.log'),
      onSpawn: (name, pid) => this.#folder?.record(name, pid),
    })
  }

  #startMl(): Promise<RunningPart> {
    const { settings, allowPrivateWebhooks } = this.#options
    return startMl({
      environment: settings.environment,
      databaseUrl: this.#held(this.#serviceUrls).ml,
      modelDir: settings.modelDir,
      webhookSecretKey: this.#held(this.#secrets).WEBHOOK_SECRET_KEY,
      allowPrivateWebhooks,
      every: ML_EVERY,
      logFile: this.#place('ml.log'),
      onSpawn: (pid) => this.#folder?.record('ml', pid),
    })
  }

  #keep(title: string, start: () => Promise<RunningPart>): Promise<Part> {
    return keepRunning({
      title,
      start,
      log: this.#options.progress.step,
      onRestart: () => this.#writeDevFile(),
      mayRestart: () => this.#folder?.isOurs() ?? false,
    })
  }

  /** Once every part runs, says where; again whenever one was restarted. */
  #writeDevFile(): void {
    const { settings } = this.#options
    const { postgres, worker, ml } = this.#parts
    if (!worker || !ml || this.#aborted.signal.aborted || !this.#folder?.isOurs()) return
    writeDevFile(settings.stateDir, {
      url: this.url,
      dashboard_url: `${this.url}/`,
      admin_token: this.adminToken,
      database_url: this.#databaseUrl,
      model_dir: settings.modelDir,
      pids: {
        supervisor: process.pid,
        postgres: postgres?.pid() ?? null,
        worker: worker.pid(),
        ml: ml.pid(),
      },
    })
  }

  /** A deletion that is under way reaches everything: on a busy machine it takes its time. */
  async #lostFolderSoon(): Promise<Error | undefined> {
    for (const end = Date.now() + 2000; Date.now() < end; await sleep(50)) {
      const lost = this.#lostFolder()
      if (lost) return lost
    }
    return undefined
  }

  #lostFolder(): Error | undefined {
    if (!this.#folder || this.#folder.isOurs()) return undefined
    return new SettingsError(
      `The state folder ${this.#folder.dir} was deleted while it was in use; start again.`,
    )
  }

  #place(name: string): string {
    return path.join(this.#options.settings.stateDir, name)
  }

  #held<T>(value: T | undefined): T {
    if (value === undefined) throw new Error('The stack has not started.')
    return value
  }
}
