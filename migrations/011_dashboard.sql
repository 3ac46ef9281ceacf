ALTER TABLE users ADD COLUMN disabled_at TEXT;
ALTER TABLE users ADD COLUMN last_sign_in_at TEXT;
CREATE TABLE dashboard_sessions (
  token_hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users (id),
  created_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX dashboard_sessions_by_user ON dashboard_sessions (user_id);
CREATE TABLE sign_in_failures (
  subject TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  last_failed_at TEXT NOT NULL
) WITHOUT ROWID;
ALTER TABLE Leads ADD COLUMN Status TEXT NOT NULL DEFAULT 'new';
ALTER TABLE Leads ADD COLUMN StatusAt TEXT;
ALTER TABLE Leads ADD COLUMN FirstContactAt TEXT;
ALTER TABLE Leads ADD COLUMN OwnerId INTEGER REFERENCES users (id);
ALTER TABLE Leads ADD COLUMN Revision INTEGER NOT NULL DEFAULT 0;
CREATE TABLE lead_changes (
  id INTEGER PRIMARY KEY,
  client_id INTEGER NOT NULL,
  lead_id TEXT NOT NULL,
  user_id INTEGER,
  actor TEXT NOT NULL,
  kind TEXT NOT NULL,
  old_value TEXT,
  new_value TEXT,
  created_at TEXT NOT NULL
);
CREATE INDEX lead_changes_by_lead ON lead_changes (lead_id, id);
CREATE TABLE saved_views (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users (id),
  client_id INTEGER NOT NULL REFERENCES clients (id),
  name TEXT NOT NULL,
  query TEXT NOT NULL,
  created_at TEXT NOT NULL,
  UNIQUE (user_id, client_id, name)
);
CREATE TABLE settings_drafts (
  client_id INTEGER PRIMARY KEY REFERENCES clients (id),
  config TEXT NOT NULL,
  actor TEXT NOT NULL,
  saved_at TEXT NOT NULL
);
CREATE TABLE audit_trail (
  id INTEGER PRIMARY KEY,
  created_at TEXT NOT NULL,
  client_id INTEGER,
  user_id INTEGER,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT,
  details TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_trail_by_client ON audit_trail (client_id, id);
