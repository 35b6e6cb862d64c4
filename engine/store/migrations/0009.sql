ALTER TABLE slots ADD COLUMN missed INTEGER;  -- 1: it had passed when the schedule came to it
