ALTER TABLE clients ADD COLUMN settings_revision INTEGER NOT NULL DEFAULT 0;
CREATE INDEX leadscoring_results_by_scores ON leadscoring_results (client_id, p_fin_model, p_show_model);
CREATE INDEX facebook_capi_event_log_by_client ON facebook_capi_event_log (client_id, id);
CREATE INDEX form_responses_by_client ON form_responses (client_id, id);
