CREATE INDEX leads_by_visitor ON Leads (ClientId, VisitorId) WHERE VisitorId IS NOT NULL;
CREATE INDEX form_responses_by_lead ON form_responses (client_id, lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX deliveries_by_time ON deliveries (client_id, created_at, delivery_id, state, destination, event_name);
