-- +goose Up
-- Whom documents go to: offices, not people. The address is theirs.
CREATE TABLE recipients (
  id TEXT PRIMARY KEY, role TEXT NOT NULL, organisation TEXT NOT NULL, area TEXT NOT NULL, channel TEXT NOT NULL, address TEXT NOT NULL, phone TEXT NOT NULL,
  demonstrated INTEGER NOT NULL, how TEXT NOT NULL, active INTEGER NOT NULL, version INTEGER NOT NULL, changed_at INTEGER NOT NULL, changed_by TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX recipients_who ON recipients (role, organisation, area, channel, address);

-- How an address, or every address of a domain, may be written to. Where there is none, nothing is sent.
CREATE TABLE policies (
  pattern TEXT PRIMARY KEY, means TEXT NOT NULL, relay TEXT NOT NULL, changed_at INTEGER NOT NULL, changed_by TEXT NOT NULL
) STRICT;
