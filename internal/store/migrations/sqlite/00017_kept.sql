-- +goose Up
-- What is kept for a while and is no record, sealed, one of each name: what somebody sent when their session had ended, how often whom tried to sign in.
CREATE TABLE kept (name TEXT PRIMARY KEY, kept_at INTEGER NOT NULL, content INTEGER NOT NULL) STRICT;
