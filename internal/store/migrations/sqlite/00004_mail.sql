-- +goose Up
-- A document that goes to one recipient by e-mail, or a chase of it. Who that is, and why it is held, is in the sealed content. While it is
-- held there is no item of the outbox; until the relay has taken it there is no hand-off.
CREATE TABLE sends (
  id INTEGER PRIMARY KEY, ref TEXT NOT NULL, version INTEGER NOT NULL, case_id TEXT NOT NULL, form TEXT NOT NULL, kind TEXT NOT NULL, recipient TEXT NOT NULL,
  office TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('held', 'queued', 'withdrawn')), reason TEXT NOT NULL, urgent INTEGER NOT NULL,
  message TEXT NOT NULL, token TEXT NOT NULL, message_id TEXT NOT NULL, item INTEGER NOT NULL, handoff INTEGER NOT NULL,
  reported TEXT NOT NULL DEFAULT '', reported_at INTEGER NOT NULL DEFAULT 0, trouble TEXT NOT NULL DEFAULT '',
  content INTEGER NOT NULL, by_user TEXT NOT NULL, created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, changes INTEGER NOT NULL
) STRICT;
CREATE INDEX sends_ref ON sends (ref);
CREATE INDEX sends_case ON sends (case_id);
CREATE INDEX sends_token ON sends (token) WHERE token <> '';
CREATE INDEX sends_message ON sends (message) WHERE message <> '';
CREATE INDEX sends_message_id ON sends (message_id) WHERE message_id <> '';
CREATE INDEX sends_item ON sends (item) WHERE item <> 0;
CREATE UNIQUE INDEX sends_held ON sends (ref, version, kind, office) WHERE state = 'held';
CREATE INDEX sends_reported ON sends (reported_at) WHERE reported <> '';
CREATE INDEX sends_leaving ON sends (id) WHERE state = 'queued' AND handoff = 0 AND kind <> 'chase';

-- What came in, numbered from 1. raw is the message as it came, content what was read of it; both are sealed. Without a case it belongs to none yet. sum is
-- of the raw bytes: the same message is taken in once, however often the mailbox is read. words is a keyed hash of who wrote what, by
-- which a message that was delivered twice is told.
CREATE TABLE received (
  id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE, case_id TEXT, ref TEXT NOT NULL, send INTEGER NOT NULL, class TEXT NOT NULL, action TEXT NOT NULL,
  matched_by TEXT NOT NULL, sure TEXT NOT NULL, verified INTEGER NOT NULL,
  mailbox TEXT NOT NULL, came_at INTEGER NOT NULL, taken_at INTEGER NOT NULL, size INTEGER NOT NULL, sum BLOB NOT NULL, words BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('new', 'done')), outcome TEXT NOT NULL, content INTEGER NOT NULL, changes INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX received_sum ON received (mailbox, sum);
CREATE INDEX received_words ON received (words);
CREATE INDEX received_new ON received (state) WHERE state = 'new';
CREATE INDEX received_ref ON received (ref);
CREATE INDEX received_case ON received (case_id);
CREATE INDEX received_send ON received (send) WHERE send <> 0;

-- How far each mailbox was read.
CREATE TABLE mailboxes (name TEXT PRIMARY KEY, validity INTEGER NOT NULL, uid INTEGER NOT NULL) STRICT;

-- When and how it was shown that a whole domain can be written to securely, and the reason people are told where nothing may be sent.
ALTER TABLE policies ADD COLUMN demonstrated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE policies ADD COLUMN how TEXT NOT NULL DEFAULT '';
ALTER TABLE policies ADD COLUMN why TEXT NOT NULL DEFAULT '';

-- What cannot wait leaves first. left_at is when an item was about to leave, which is the time of the hand-off whenever that becomes known.
ALTER TABLE outbox ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN left_at INTEGER NOT NULL DEFAULT 0;
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (urgent DESC, run_at) WHERE state IN ('ready', 'leased');

-- The same document at the same office: by telephone first and then by e-mail. joined is the hand-off whose clock runs.
ALTER TABLE handoffs ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;
