-- +goose Up
-- Keys of programs that use the HTTP API for a person. Of a key there is the SHA-256, which is enough for one that was drawn at random.
-- expires_at is when it stops working; used_at is written once a minute at most; revoked_at is NULL while it holds.
CREATE TABLE api_keys (
  hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, scopes TEXT NOT NULL, test INTEGER NOT NULL,
  made_by TEXT NOT NULL, made_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER, revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_user ON api_keys (user_id);

-- Requests that are done once however often they come: key is a keyed hash of who asked and the name they gave it, body one of what they asked.
-- done is set in the transaction that does it; answer is what was answered, without anything about anybody.
CREATE TABLE api_requests (
  key BLOB PRIMARY KEY, body BLOB NOT NULL, asked_at INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0, answer BLOB
) STRICT;
