CREATE INDEX sessions_by_site ON sessions (client_id, site_key);
ALTER TABLE api_keys ADD COLUMN last_used_at TEXT;
