import { ValueType } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, DataPointType, type ResourceMetrics } from '@opentelemetry/sdk-metrics'

interface Gauge {
  name: string
  unit?: string
  points: [ts: number, value: number][]
  attributes?: Record<string, string>
}

const hrTime = (ms: number): [number, number] => [Math.floor(ms / 1000), (ms % 1000) * 1_000_000]

/** Gauges of a device, as the SDK hands them to an exporter. */
export const gaugesOf = (device: string, gauges: Gauge[]): ResourceMetrics => ({
  resource: resourceFromAttributes({ 'device.id': device, 'service.name': 'test' }),
  scopeMetrics: [
    {
      scope: { name: 'test' },
      metrics: gauges.map(({ name, unit = '', points, attributes = {} }) => ({
        descriptor: { name, description: '', unit, valueType: ValueType.DOUBLE },
        aggregationTemporality: AggregationTemporality.CUMULATIVE,
        dataPointType: DataPointType.GAUGE,
        dataPoints: points.map(([ts, value]) => ({
          startTime: [0, 0],
          endTime: hrTime(ts),
          attributes,
          value,
        })),
      })),
    },
  ],
})
