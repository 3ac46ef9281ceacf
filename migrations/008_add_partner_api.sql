ALTER TABLE api_keys ADD COLUMN field_mapping TEXT NOT NULL DEFAULT '{}';
ALTER TABLE Leads ADD COLUMN UpdatedAt TEXT;
UPDATE Leads SET UpdatedAt = CreatedAt;
CREATE INDEX leads_by_update ON Leads (ClientId, UpdatedAt, Id);
