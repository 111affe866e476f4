-- Keyed digests of the tokens that were handed out, so that whoever still holds one is known after a restart.
-- Times are milliseconds since 1970 (UTC).
CREATE TABLE past_token (
    digest       BLOB   NOT NULL PRIMARY KEY,
    credential   TEXT   NOT NULL,
    known_until  BIGINT NOT NULL
);
CREATE INDEX past_token_by_end ON past_token (known_until);
