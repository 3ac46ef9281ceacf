CREATE TABLE events (
  client_id INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  page_view_id TEXT NOT NULL,
  name TEXT NOT NULL,
  props TEXT NOT NULL DEFAULT '{}',
  occurred_at TEXT NOT NULL,
  PRIMARY KEY (client_id, session_id, event_id)
) WITHOUT ROWID;
ALTER TABLE sessions ADD COLUMN network TEXT;
ALTER TABLE sessions ADD COLUMN network_kind TEXT;
