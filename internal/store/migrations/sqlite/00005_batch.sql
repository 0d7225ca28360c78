-- +goose Up
-- What was issued from a row of a batch: key is a keyed hash of all that the document was made from. The same row is issued once.
CREATE TABLE issued_rows (key BLOB PRIMARY KEY, ref TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
