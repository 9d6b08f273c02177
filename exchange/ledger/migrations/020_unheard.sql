-- From which of its own writes on a worker may not have heard that an end is written: its seller may
-- have been told `pending` instead, and whoever takes over sees to it that it is told the end. NULL:
-- a worker of an older version, of which nobody knows.
ALTER TABLE worker ADD COLUMN unheard_since bigint;
