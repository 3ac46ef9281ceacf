DROP INDEX leads_by_time;
CREATE INDEX leads_by_time ON Leads (ClientId, CreatedAt, Id, MatchKind, EngagementLabel, SuspicionLabel, Status, OwnerId, FirstContactAt);
CREATE INDEX leads_by_score ON Leads (ClientId, IIF(MatchKind = 'none', -1, EngagementScore), Id, MatchKind, EngagementLabel, SuspicionLabel, Status, OwnerId, FirstContactAt, CreatedAt);
CREATE INDEX leads_by_suspicion ON Leads (ClientId, SuspicionScore, Id, MatchKind, EngagementLabel, SuspicionLabel, Status, OwnerId, FirstContactAt, CreatedAt);
CREATE INDEX leads_by_due ON Leads (ClientId, IIF(Status <> 'new' OR FirstContactAt IS NOT NULL, '9', IIF(MatchKind = 'none' OR EngagementLabel = 'Warm', strftime('%Y-%m-%dT%H:%M:%fZ', CreatedAt, '+24 hours'), IIF(EngagementLabel = 'Hot', strftime('%Y-%m-%dT%H:%M:%fZ', CreatedAt, '+2 hours'), IIF(EngagementLabel = 'Very Hot', strftime('%Y-%m-%dT%H:%M:%fZ', CreatedAt, '+5 minutes'), '9')))), Id DESC, MatchKind, EngagementLabel, SuspicionLabel, Status, OwnerId, FirstContactAt, CreatedAt);
CREATE INDEX leads_by_project ON Leads (ClientId, Project, CreatedAt, Id, MatchKind, EngagementLabel, SuspicionLabel, Status, OwnerId, FirstContactAt, EngagementScore, SuspicionScore) WHERE Project IS NOT NULL;
CREATE INDEX leads_by_source ON Leads (ClientId, LeadSource, CreatedAt, Id, MatchKind, EngagementLabel, SuspicionLabel, Status, OwnerId, FirstContactAt, EngagementScore, SuspicionScore);
CREATE VIEW lead_search_texts AS
SELECT Id, '  ' || replace(replace(replace(COALESCE(substr(Name, 1, 1000), '') || ' ' || COALESCE(Email, '') || ' ' || COALESCE(substr(Project, 1, 1000), '') || ' ' || COALESCE(substr(Message, 1, 4000), ''), char(10), ' '), char(9), ' '), ' ', '  ')
  || '  ' || replace(replace(replace(replace(replace(replace(replace(COALESCE(substr(Phone, 1, 100), ''), ' ', ''), '-', ''), '.', ''), '/', ''), '(', ''), ')', ''), '+', '')
  || '  ' || replace(COALESCE(PhoneE164, ''), '+', '') AS text
FROM Leads;
CREATE VIRTUAL TABLE lead_search USING fts5(text, content='lead_search_texts', content_rowid='Id', tokenize='trigram');
INSERT INTO lead_search (lead_search, rank) VALUES ('secure-delete', 1);
INSERT INTO lead_search (lead_search) VALUES ('rebuild');
CREATE TRIGGER lead_search_added AFTER INSERT ON Leads BEGIN
  INSERT INTO lead_search (rowid, text) SELECT Id, text FROM lead_search_texts WHERE Id = new.Id;
END;
CREATE TRIGGER lead_search_taken BEFORE UPDATE OF Name, Email, Phone, PhoneE164, Project, Message ON Leads BEGIN
  INSERT INTO lead_search (lead_search, rowid, text) SELECT 'delete', Id, text FROM lead_search_texts WHERE Id = old.Id;
END;
CREATE TRIGGER lead_search_changed AFTER UPDATE OF Name, Email, Phone, PhoneE164, Project, Message ON Leads BEGIN
  INSERT INTO lead_search (rowid, text) SELECT Id, text FROM lead_search_texts WHERE Id = new.Id;
END;
CREATE TRIGGER lead_search_erased BEFORE DELETE ON Leads BEGIN
  INSERT INTO lead_search (lead_search, rowid, text) SELECT 'delete', Id, text FROM lead_search_texts WHERE Id = old.Id;
END;
