-- +goose Up
-- Whether a record of the ledger is of something that was done (0), of somebody who only looked (1), or of a case that a search found (2). It is
-- read from the record itself whenever it is asked for, so there is nothing beside the record that could be changed. The text cannot stand
-- anywhere else in a record: quotation marks within its words are escaped.
ALTER TABLE ledger ADD COLUMN looked INTEGER GENERATED ALWAYS AS (CASE
  WHEN instr(record, CAST('"acts":["consultation"],"what":"' AS BLOB)) = 0 OR instr(record, CAST('"acts":["consultation"],"what":"refused"' AS BLOB)) > 0 THEN 0
  WHEN instr(record, CAST('"what":"case found"' AS BLOB)) > 0 THEN 2
  ELSE 1 END) VIRTUAL;
DROP INDEX ledger_ref;
CREATE INDEX ledger_ref ON ledger (ref, looked) WHERE ref IS NOT NULL;
CREATE INDEX cases_restricted ON cases (id) WHERE restricted = 1;
CREATE INDEX ledger_whole ON ledger (case_id, looked) WHERE case_id IS NOT NULL AND ref IS NULL;
