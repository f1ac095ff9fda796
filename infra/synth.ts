import { readdirSync } from 'node:fs'
import path from 'node:path'
import { App } from 'aws-cdk-lib'
import { bundleMl } from '../local/ml-bundle.ts'
import { ROOT } from '../local/settings.ts'
import { readMlSettings } from './ml-settings.ts'
import { MlStack } from './ml-stack.ts'

/*
 * `npm run infra:synth`, and the app of the CDK's command line (cdk.json): writes the templates to
 * infra/cdk.out. The image's folder is only fingerprinted here; Docker builds it at deployment.
 */

const outdir = process.env['CDK_OUTDIR'] ?? path.join(ROOT, 'infra', 'cdk.out')
const imageFolder = path.join(ROOT, 'dist', 'ml-service')

await bundleMl(imageFolder)
const app = new App({ outdir, analyticsReporting: false })
new MlStack(app, 'EdgePulseMl', { imageFolder, settings: readMlSettings(app.node) })
app.synth()
for (const file of readdirSync(outdir).filter((name) => name.endsWith('.template.json'))) {
  console.log(`wrote ${path.relative(ROOT, path.join(outdir, file))}`)
}
