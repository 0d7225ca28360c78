-- +goose Up
-- Times are UTC in milliseconds since 1970. Ids of objects grow with time. Nothing in a column tells what is in a sealed object.

CREATE TABLE users (
  id TEXT PRIMARY KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL, team TEXT NOT NULL, roles TEXT NOT NULL,
  active INTEGER NOT NULL, created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE cases (
  id TEXT PRIMARY KEY, version INTEGER NOT NULL, record INTEGER, record_sum BLOB, card INTEGER,
  created_at INTEGER NOT NULL, created_by TEXT NOT NULL, changed_at INTEGER NOT NULL, changed_by TEXT NOT NULL,
  restricted INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0, erased_at INTEGER
) STRICT;

CREATE INDEX cases_record ON cases (record);

-- Who may see a restricted case: kind is 'person' (a user's id) or 'team'.
CREATE TABLE case_access (
  case_id TEXT NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL, PRIMARY KEY (case_id, kind, who)
) STRICT;

-- What a case can be found by, as keyed hashes. part is 1 for the person, 2 for somebody else named in the case.
CREATE TABLE terms (
  term BLOB NOT NULL, case_id TEXT NOT NULL, part INTEGER NOT NULL, PRIMARY KEY (term, case_id, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX terms_case ON terms (case_id);

CREATE TABLE drafts (
  id TEXT PRIMARY KEY, case_id TEXT, form TEXT NOT NULL, area TEXT NOT NULL, version INTEGER NOT NULL, content INTEGER NOT NULL,
  created_at INTEGER NOT NULL, created_by TEXT NOT NULL, team TEXT NOT NULL, changed_at INTEGER NOT NULL, changed_by TEXT NOT NULL
) STRICT;
CREATE INDEX drafts_case ON drafts (case_id);

CREATE TABLE documents (
  ref TEXT PRIMARY KEY, case_id TEXT NOT NULL, form TEXT NOT NULL, copy TEXT NOT NULL, latest INTEGER NOT NULL, created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX documents_case ON documents (case_id);

CREATE TABLE versions (
  ref TEXT NOT NULL, version INTEGER NOT NULL, form_version TEXT NOT NULL, area TEXT NOT NULL, definition TEXT NOT NULL,
  renderer TEXT NOT NULL, record INTEGER, answers INTEGER, issued_at INTEGER NOT NULL, issued_by TEXT NOT NULL,
  entry INTEGER NOT NULL, erased_at INTEGER, PRIMARY KEY (ref, version)
) STRICT;
CREATE INDEX versions_record ON versions (record);

CREATE TABLE files (
  ref TEXT NOT NULL, version INTEGER NOT NULL, format TEXT NOT NULL, profile TEXT NOT NULL, sum BLOB, size INTEGER NOT NULL,
  object INTEGER, PRIMARY KEY (ref, version, format, profile)
) STRICT;
CREATE INDEX files_sum ON files (sum);

-- What a form was when something was issued by it: hash is the form's, bundle its source files.
CREATE TABLE definitions (hash TEXT PRIMARY KEY, bundle BLOB NOT NULL) STRICT;

-- Sealed bytes, each with a key of its own. Without its key an object is gone.
CREATE TABLE objects (id INTEGER PRIMARY KEY, case_id TEXT, kind TEXT NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE INDEX objects_case ON objects (case_id);
CREATE TABLE object_keys (object INTEGER PRIMARY KEY, kek INTEGER NOT NULL, wrapped BLOB NOT NULL) STRICT;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY, ref TEXT NOT NULL, version INTEGER NOT NULL, case_id TEXT NOT NULL, kind TEXT NOT NULL,
  dedupe TEXT NOT NULL UNIQUE, payload INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('ready', 'leased', 'in_flight', 'sent', 'uncertain', 'dead')),
  attempt INTEGER NOT NULL DEFAULT 0, run_at INTEGER NOT NULL, lease_until INTEGER NOT NULL DEFAULT 0, lease_token INTEGER NOT NULL DEFAULT 0,
  said TEXT NOT NULL DEFAULT '', created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (run_at) WHERE state IN ('ready', 'leased');
CREATE INDEX outbox_in_flight ON outbox (lease_until) WHERE state = 'in_flight';
CREATE INDEX outbox_state ON outbox (state);
CREATE INDEX outbox_ref ON outbox (ref);
CREATE INDEX outbox_case ON outbox (case_id);

-- The ledger: records are never changed. Details may be erased; a record commits to its detail by a salted hash.
CREATE TABLE ledger (n INTEGER PRIMARY KEY, at INTEGER NOT NULL, case_id TEXT, ref TEXT, record BLOB NOT NULL) STRICT;
CREATE INDEX ledger_case ON ledger (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX ledger_ref ON ledger (ref) WHERE ref IS NOT NULL;
CREATE TABLE ledger_details (n INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE ledger_hashes (idx INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;
-- One row: how many records there are, the hashes of the whole subtrees at the right edge, and the signed checkpoint.
CREATE TABLE ledger_head (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, edge BLOB NOT NULL, checkpoint TEXT NOT NULL) STRICT;
-- The last checkpoint of every day on which something was written.
CREATE TABLE ledger_checkpoints (size INTEGER PRIMARY KEY, at INTEGER NOT NULL, checkpoint TEXT NOT NULL) STRICT;
