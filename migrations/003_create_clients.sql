CREATE TABLE clients (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  created_at TEXT NOT NULL,
  default_region TEXT,
  make_webhook_url TEXT,
  make_webhook_secret TEXT,
  typeform_secret TEXT,
  lead_scoring_config TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE sites (
  site_key TEXT PRIMARY KEY,
  client_id INTEGER NOT NULL REFERENCES clients (id),
  name TEXT,
  allowed_origins TEXT NOT NULL DEFAULT '[]',
  created_at TEXT NOT NULL
);
CREATE TABLE api_keys (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  key_hash TEXT NOT NULL UNIQUE,
  client_id INTEGER NOT NULL REFERENCES clients (id),
  scope TEXT NOT NULL,
  created_at TEXT NOT NULL,
  revoked_at TEXT
);
CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE COLLATE NOCASE,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL,
  created_at TEXT NOT NULL
);
CREATE TABLE user_clients (
  user_id INTEGER NOT NULL REFERENCES users (id),
  client_id INTEGER NOT NULL REFERENCES clients (id),
  PRIMARY KEY (user_id, client_id)
) WITHOUT ROWID;
