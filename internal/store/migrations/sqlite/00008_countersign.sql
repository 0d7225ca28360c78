-- +goose Up
-- What a manager who did not issue it said of an issue of a document: that they endorse it, or that they send it back. The last word holds; every one is in
-- the ledger, with the words.
CREATE TABLE countersignatures (
  ref TEXT NOT NULL, version INTEGER NOT NULL, endorsed INTEGER NOT NULL, by_id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (ref, version)
) STRICT;
