-- From when on a message is tried: when it came, or when it was sent again after it had been given up.
ALTER TABLE delivery ADD COLUMN tried_since BIGINT;
UPDATE delivery SET tried_since = received_at;
