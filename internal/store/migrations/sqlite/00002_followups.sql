-- +goose Up
-- Days are whole numbers such as 20261125, because a deadline has no time. Words about anybody are in sealed objects.

ALTER TABLE cases ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN team TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN area TEXT NOT NULL DEFAULT '';
UPDATE cases SET owner = created_by;

-- A document that was handed to somebody, by whatever channel.
CREATE TABLE handoffs (
  id INTEGER PRIMARY KEY, ref TEXT NOT NULL, version INTEGER NOT NULL, case_id TEXT NOT NULL, form TEXT NOT NULL, area TEXT NOT NULL,
  team TEXT NOT NULL, channel TEXT NOT NULL, urgent INTEGER NOT NULL, children INTEGER NOT NULL, day INTEGER NOT NULL, at INTEGER NOT NULL,
  by_user TEXT NOT NULL, content INTEGER NOT NULL, answer_by INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'part', 'answered', 'closed')), outcome TEXT NOT NULL DEFAULT '', answered_day INTEGER NOT NULL DEFAULT 0,
  changes INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX handoffs_ref ON handoffs (ref);
CREATE INDEX handoffs_case ON handoffs (case_id);
CREATE INDEX handoffs_day ON handoffs (day);

-- What somebody recorded as the response to a hand-off.
CREATE TABLE responses (
  id INTEGER PRIMARY KEY, handoff INTEGER NOT NULL, kind TEXT NOT NULL, final INTEGER NOT NULL, children TEXT NOT NULL, day INTEGER NOT NULL,
  by_user TEXT NOT NULL, content INTEGER NOT NULL
) STRICT;
CREATE INDEX responses_handoff ON responses (handoff);

-- A duty that is running. subject is what it is about: the same one never runs twice at a time. step_day is when the next step of the ladder falls.
CREATE TABLE followups (
  id INTEGER PRIMARY KEY, subject TEXT NOT NULL, rule TEXT NOT NULL, case_id TEXT NOT NULL, ref TEXT NOT NULL, handoff INTEGER NOT NULL,
  about TEXT NOT NULL, owner TEXT NOT NULL, team TEXT NOT NULL, area TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'done', 'void')), from_day INTEGER NOT NULL, first_day INTEGER NOT NULL, due_day INTEGER NOT NULL, how TEXT NOT NULL,
  deferred INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0,
  round INTEGER NOT NULL, stepped INTEGER NOT NULL, step_day INTEGER NOT NULL, paused_until INTEGER NOT NULL, ended TEXT NOT NULL, ended_day INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX followups_subject ON followups (subject) WHERE state = 'open';
CREATE INDEX followups_due ON followups (due_day) WHERE state = 'open';
CREATE INDEX followups_step ON followups (step_day) WHERE state = 'open';
CREATE INDEX followups_owner ON followups (owner, due_day) WHERE state = 'open';
CREATE INDEX followups_case ON followups (case_id);
CREATE INDEX followups_ref ON followups (ref);
CREATE INDEX cases_owner ON cases (owner);
