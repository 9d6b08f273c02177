-- A lead may be sold to several buyers. With how many each of them has it at most: 1 is alone.
ALTER TABLE award ADD COLUMN buyers_max integer NOT NULL DEFAULT 1;
ALTER TYPE award_row ADD ATTRIBUTE buyers_max integer;
