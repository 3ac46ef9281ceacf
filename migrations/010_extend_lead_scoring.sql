ALTER TABLE deliveries ADD COLUMN event_name TEXT;
ALTER TABLE deliveries ADD COLUMN email TEXT;
ALTER TABLE form_responses ADD COLUMN review TEXT;
ALTER TABLE form_responses ADD COLUMN last_error TEXT;
CREATE INDEX form_responses_by_input ON form_responses (client_id, input_hash) WHERE input_hash IS NOT NULL;
CREATE INDEX form_responses_unscored ON form_responses (client_id, id) WHERE event_type = 'form_response' AND scored_at IS NULL;
CREATE TABLE prediction_runs (
  run_id TEXT NOT NULL,
  response_id INTEGER NOT NULL REFERENCES form_responses (id),
  client_id INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (run_id, response_id)
) WITHOUT ROWID;
CREATE INDEX facebook_capi_event_log_by_delivery ON facebook_capi_event_log (delivery_id);
