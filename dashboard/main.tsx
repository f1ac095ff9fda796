import './usable-language.ts'
import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/header.css'
import './styles/parts.css'
import './styles/tables.css'
import './styles/forms.css'
import './styles/overview.css'
import './styles/charts.css'
import { App } from './app.tsx'

render(<App />, document.getElementById('app')!)
