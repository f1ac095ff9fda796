-- Purpose: the trace-id (W3C Trace Context) of the request that brought a batch, an alert, a delivery, so that one id
-- leads from a gateway's request to the webhook it caused. Writer: the queue consumer (batches), the ML service (the
-- rest). Reader: the ML service. As a uuid, which has its 16 bytes; null where none is known.

alter table batches add column trace_id uuid;
alter table alert_events add column trace_id uuid; -- of the batch with the newest datapoint of the window that opened it
alter table webhook_deliveries add column trace_id uuid;
