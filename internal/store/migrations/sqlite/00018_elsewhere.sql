-- +goose Up
-- A hand-off to somebody whom the form is not for: the person's copy, a relative. It starts and ends nothing. What was recorded before counts as it did.
ALTER TABLE handoffs ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0;
