CREATE TABLE form_responses (
  id INTEGER PRIMARY KEY,
  client_id INTEGER NOT NULL,
  channel TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  form_id TEXT,
  token TEXT,
  email TEXT COLLATE NOCASE,
  lead_id TEXT,
  raw TEXT NOT NULL,
  received_at TEXT NOT NULL,
  scored_at TEXT,
  ai_fin REAL,
  ai_show REAL,
  ai_sql REAL,
  signals TEXT,
  model TEXT,
  prompt_version TEXT,
  input_hash TEXT,
  UNIQUE (client_id, event_id)
);
CREATE INDEX form_responses_by_token ON form_responses (client_id, form_id, token);
CREATE INDEX form_responses_by_email ON form_responses (client_id, email);
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending',
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at TEXT NOT NULL,
  lease_owner TEXT,
  leased_until TEXT,
  last_error TEXT,
  created_at TEXT NOT NULL,
  UNIQUE (kind, subject)
);
CREATE INDEX jobs_due ON jobs (due_at) WHERE state = 'pending';
CREATE TABLE rejected (
  id INTEGER PRIMARY KEY,
  client_id INTEGER,
  channel TEXT NOT NULL,
  reason TEXT NOT NULL,
  body TEXT,
  received_at TEXT NOT NULL
);
CREATE TABLE leadscoring_results (
  id INTEGER PRIMARY KEY,
  client_id INTEGER NOT NULL,
  email TEXT NOT NULL COLLATE NOCASE,
  source TEXT NOT NULL DEFAULT 'LEAD-SCORING',
  p_fin_model REAL,
  p_show_model REAL,
  p_sql_model REAL,
  rotator TEXT,
  capi_data TEXT,
  signals TEXT,
  capi_lead INTEGER NOT NULL DEFAULT 0,
  capi_submitapp INTEGER NOT NULL DEFAULT 0,
  capi_fired_to_fb INTEGER NOT NULL DEFAULT 0,
  model TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (client_id, email)
);
CREATE TABLE facebook_capi_event_log (
  id INTEGER PRIMARY KEY,
  client_id INTEGER NOT NULL,
  delivery_id TEXT,
  event_id TEXT NOT NULL,
  event_name TEXT NOT NULL,
  email TEXT COLLATE NOCASE,
  request_body TEXT NOT NULL,
  response_status INTEGER,
  response_body TEXT,
  fbtrace_id TEXT,
  created_at TEXT NOT NULL
);
CREATE TABLE deliveries (
  delivery_id TEXT PRIMARY KEY,
  client_id INTEGER NOT NULL,
  destination TEXT NOT NULL,
  lead_id TEXT,
  payload TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  due_at TEXT NOT NULL,
  lease_owner TEXT,
  leased_until TEXT,
  finished_at TEXT,
  last_status INTEGER,
  last_error TEXT
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (client_id, destination, due_at) WHERE state = 'pending';
CREATE INDEX deliveries_by_lead ON deliveries (lead_id);
CREATE TABLE delivery_attempts (
  id INTEGER PRIMARY KEY,
  delivery_id TEXT NOT NULL REFERENCES deliveries (delivery_id),
  started_at TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  verdict TEXT NOT NULL,
  status INTEGER,
  error TEXT,
  response TEXT
);
CREATE INDEX delivery_attempts_by_delivery ON delivery_attempts (delivery_id);
CREATE TABLE paused_destinations (
  client_id INTEGER NOT NULL,
  destination TEXT NOT NULL,
  paused_at TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (client_id, destination)
) WITHOUT ROWID;
