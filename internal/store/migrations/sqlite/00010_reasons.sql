-- +goose Up
-- Why whoever fills a draft goes on although warnings stand: a sealed object, NULL while there is none.
ALTER TABLE drafts ADD COLUMN reasons INTEGER;
