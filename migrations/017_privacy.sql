ALTER TABLE clients ADD COLUMN keep_visits_days INTEGER;
ALTER TABLE clients ADD COLUMN keep_leads_days INTEGER;
ALTER TABLE clients ADD COLUMN keep_responses_days INTEGER;
ALTER TABLE clients ADD COLUMN truncate_ip INTEGER NOT NULL DEFAULT 0;
CREATE TABLE upkeep (
  task TEXT PRIMARY KEY,
  asked_at TEXT,
  done_at TEXT,
  leased_until TEXT
) WITHOUT ROWID;
INSERT INTO upkeep (task) VALUES ('compact'), ('purge');
CREATE INDEX deliveries_by_email ON deliveries (client_id, email COLLATE NOCASE) WHERE email IS NOT NULL;
CREATE INDEX facebook_capi_event_log_by_email ON facebook_capi_event_log (client_id, email) WHERE email IS NOT NULL;
CREATE INDEX prediction_runs_by_response ON prediction_runs (response_id);
