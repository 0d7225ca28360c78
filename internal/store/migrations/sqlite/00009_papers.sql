-- +goose Up
-- The record in the ledger of the act that began a draft: of a new version of a document it names the document and the reason.
ALTER TABLE drafts ADD COLUMN entry INTEGER NOT NULL DEFAULT 0;
-- What waits to be countersigned in a team, and what somebody issued.
CREATE INDEX cases_team ON cases (team);
CREATE INDEX versions_issued_by ON versions (issued_by, issued_at);
