-- +goose Up
-- What somebody proves beside their password. The secret of the codes is sealed; step is that of the last code that was taken, so that none is taken twice.
CREATE TABLE second_factors (user_id TEXT PRIMARY KEY, sealed BLOB NOT NULL, step INTEGER NOT NULL, set_at INTEGER NOT NULL) STRICT;

-- Codes for whoever has lost the app, each of them once: SHA-256 of 120 random bits.
CREATE TABLE recovery_codes (user_id TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (user_id, hash)) STRICT;

-- When the owner of a session last proved who they are, in that session; 0 is never, such as when a provider remembered them.
ALTER TABLE sessions ADD COLUMN proven_at INTEGER NOT NULL DEFAULT 0;
