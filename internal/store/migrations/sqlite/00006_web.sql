-- +goose Up
-- How people sign in to the pages. Of passwords there is an argon2id hash, of links and sessions the SHA-256 of a random token.
CREATE TABLE passwords (user_id TEXT PRIMARY KEY, hash TEXT NOT NULL, set_at INTEGER NOT NULL) STRICT;

-- A link by which somebody sets a password once. user_id is '' for the first admin of a store in which nobody is yet.
CREATE TABLE sign_in_links (
  hash BLOB PRIMARY KEY, user_id TEXT NOT NULL, made_by TEXT NOT NULL, made_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_links_user ON sign_in_links (user_id);

-- id names a session to its owner and is no secret. seen_at is written once a minute at most.
CREATE TABLE sessions (
  hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, means TEXT NOT NULL, browser TEXT NOT NULL,
  began_at INTEGER NOT NULL, seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
