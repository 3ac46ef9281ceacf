CREATE TABLE Leads (
  Id INTEGER PRIMARY KEY,
  PublicId TEXT NOT NULL UNIQUE,
  ClientId INTEGER NOT NULL,
  Channel TEXT NOT NULL,
  CreatedAt TEXT NOT NULL,
  Name TEXT,
  FirstName TEXT,
  LastName TEXT,
  Email TEXT COLLATE NOCASE,
  Phone TEXT,
  PhoneE164 TEXT,
  Message TEXT,
  Project TEXT,
  LeadSource TEXT NOT NULL DEFAULT 'WebSite',
  PageUrl TEXT,
  Referrer TEXT,
  Ip TEXT,
  UserAgent TEXT,
  Country TEXT,
  UtmSource TEXT,
  UtmMedium TEXT,
  UtmCampaign TEXT,
  UtmTerm TEXT,
  UtmContent TEXT,
  ClickIds TEXT,
  Consent INTEGER,
  Extra TEXT,
  IdempotencyKey TEXT
);
CREATE INDEX leads_by_time ON Leads (ClientId, CreatedAt);
CREATE INDEX leads_by_email ON Leads (ClientId, Email) WHERE Email IS NOT NULL;
CREATE INDEX leads_by_phone_given ON Leads (ClientId, Phone) WHERE Phone IS NOT NULL;
CREATE INDEX leads_by_phone ON Leads (ClientId, PhoneE164) WHERE PhoneE164 IS NOT NULL;
CREATE INDEX leads_by_ip ON Leads (ClientId, Ip, CreatedAt);
CREATE UNIQUE INDEX leads_by_idempotency_key ON Leads (ClientId, IdempotencyKey) WHERE IdempotencyKey IS NOT NULL;
