ALTER TABLE clients ADD COLUMN timezone TEXT NOT NULL DEFAULT 'UTC';
ALTER TABLE sessions ADD COLUMN landing_bare TEXT GENERATED ALWAYS AS (
  substr(landing_url, 1, instr(replace(landing_url, '#', '?') || '?', '?') - 1)
) VIRTUAL;
ALTER TABLE sessions ADD COLUMN landing_page TEXT GENERATED ALWAYS AS (
  substr(landing_bare, instr(landing_bare, '://') + 3 * (instr(landing_bare, '://') > 0), 200)
) VIRTUAL;
CREATE INDEX IF NOT EXISTS leads_by_visitor ON Leads (ClientId, VisitorId) WHERE VisitorId IS NOT NULL;
CREATE INDEX sessions_by_start ON sessions (client_id, started_at);
ALTER TABLE Leads ADD COLUMN LandingPage TEXT;
ALTER TABLE Leads ADD COLUMN Device TEXT;
ALTER TABLE Leads ADD COLUMN FirstCampaign TEXT;
UPDATE Leads SET
  LandingPage = (SELECT s.landing_page FROM sessions AS s
    WHERE s.client_id = Leads.ClientId AND s.session_id = Leads.SessionId),
  Device = (SELECT s.device FROM sessions AS s
    WHERE s.client_id = Leads.ClientId AND s.session_id = Leads.SessionId),
  FirstCampaign = (SELECT f.utm_campaign FROM sessions AS s
    JOIN sessions AS f ON f.client_id = s.client_id AND f.visitor_id = s.visitor_id
    WHERE s.client_id = Leads.ClientId AND s.session_id = Leads.SessionId ORDER BY f.id LIMIT 1)
WHERE SessionId IS NOT NULL;
UPDATE Leads SET FirstCampaign = UtmCampaign WHERE SessionId IS NULL;
CREATE TABLE visit_days (
  client_id INTEGER NOT NULL,
  dimension TEXT NOT NULL,
  day TEXT NOT NULL,
  value TEXT NOT NULL COLLATE NOCASE,
  visitors INTEGER NOT NULL,
  sessions INTEGER NOT NULL,
  page_views INTEGER NOT NULL,
  bounced INTEGER NOT NULL,
  PRIMARY KEY (client_id, dimension, day, value)
) WITHOUT ROWID;
CREATE TABLE lead_days (
  client_id INTEGER NOT NULL,
  dimension TEXT NOT NULL,
  day TEXT NOT NULL,
  value TEXT NOT NULL COLLATE NOCASE,
  leads INTEGER NOT NULL,
  tracked INTEGER NOT NULL,
  cold INTEGER NOT NULL,
  warm INTEGER NOT NULL,
  hot INTEGER NOT NULL,
  very_hot INTEGER NOT NULL,
  spam INTEGER NOT NULL,
  contacted INTEGER NOT NULL,
  within_5m INTEGER NOT NULL,
  within_15m INTEGER NOT NULL,
  within_1h INTEGER NOT NULL,
  within_2h INTEGER NOT NULL,
  within_4h INTEGER NOT NULL,
  within_1d INTEGER NOT NULL,
  within_2d INTEGER NOT NULL,
  PRIMARY KEY (client_id, dimension, day, value)
) WITHOUT ROWID;
CREATE TABLE lead_histograms (
  client_id INTEGER NOT NULL,
  measure TEXT NOT NULL,
  day TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  leads INTEGER NOT NULL,
  PRIMARY KEY (client_id, measure, day, bucket)
) WITHOUT ROWID;
CREATE TABLE rollup_hours (
  client_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  hour TEXT NOT NULL,
  version INTEGER NOT NULL,
  counted INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (client_id, kind, hour)
) WITHOUT ROWID;
CREATE INDEX rollup_hours_uncounted ON rollup_hours (client_id, kind, hour) WHERE version > counted;
CREATE TABLE rollup_days (
  client_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  day TEXT NOT NULL,
  as_of INTEGER NOT NULL,
  PRIMARY KEY (client_id, kind, day)
) WITHOUT ROWID;
CREATE TABLE rollup_clients (
  client_id INTEGER PRIMARY KEY,
  leads_seen TEXT NOT NULL DEFAULT '',
  visits_kept_from TEXT NOT NULL DEFAULT '',
  leads_kept_from TEXT NOT NULL DEFAULT ''
);
CREATE TABLE dropped_beacons (
  client_id INTEGER NOT NULL,
  hour TEXT NOT NULL,
  reason TEXT NOT NULL,
  beacons INTEGER NOT NULL,
  PRIMARY KEY (client_id, hour, reason)
) WITHOUT ROWID;
INSERT INTO rollup_hours (client_id, kind, hour, version)
SELECT client_id, 'visits', substr(started_at, 1, 13), 1 FROM sessions GROUP BY 1, 3;
