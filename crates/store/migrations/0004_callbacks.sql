-- Messages of platforms on their way to one target each, with their sealed text. Times are milliseconds since 1970 (UTC).
CREATE TABLE delivery (
    id           BIGINT NOT NULL PRIMARY KEY,
    callback     TEXT   NOT NULL,
    target       TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    format       TEXT   NOT NULL,
    received_at  BIGINT NOT NULL,
    message      BLOB   NOT NULL,
    -- Why it was given up, and after how many attempts; NULL while it is on its way.
    failure      TEXT,
    attempts     BIGINT NOT NULL
);

-- Digests of messages that were taken in, so that none is taken in twice after a restart either.
CREATE TABLE seen_message (
    digest      BLOB   NOT NULL PRIMARY KEY,
    seen_until  BIGINT NOT NULL
);
CREATE INDEX seen_message_by_end ON seen_message (seen_until);
