-- One row for each credential: everything that must survive a restart. Times are milliseconds since 1970 (UTC).
CREATE TABLE credential (
    name                TEXT   NOT NULL PRIMARY KEY,
    fingerprint         BLOB   NOT NULL,
    config_mark         BLOB   NOT NULL,
    -- How the clocks stood when the row was written (boot_id 0: unknown).
    boot_id             BIGINT NOT NULL,
    booted_at           BIGINT NOT NULL,
    -- The newest attempt: every write is fenced by it.
    attempt             BIGINT NOT NULL,
    reserved            BIGINT NOT NULL,
    -- The sealed token and its standing; all NULL when there is none.
    token               BLOB,
    generation          BIGINT,
    issued_at           BIGINT,
    life                BIGINT,
    ends_at             BIGINT,
    due_at              BIGINT,
    revoked             BIGINT,
    -- Exclusive fetches with unknown outcome since that token was stored.
    exposure            BIGINT NOT NULL,
    exposed_at          BIGINT,
    -- What was used of the budget.
    budget_day          BIGINT NOT NULL,
    fetches             BIGINT NOT NULL,
    forced              BIGINT NOT NULL,
    last_forced_at      BIGINT NOT NULL,
    probes              BIGINT NOT NULL,
    -- The last failure; all NULL when the last attempt succeeded.
    failure             TEXT,
    refusal_code        TEXT,
    refusal_message     TEXT,
    failure_detail      TEXT,
    failure_next_step   TEXT,
    failed_at           BIGINT,
    retry_at            BIGINT,
    failures            BIGINT,
    -- Deaths of our tokens that were not our doing.
    foreign_day         BIGINT NOT NULL,
    foreign_times       BIGINT NOT NULL,
    foreign_at          BIGINT,
    contested_until     BIGINT
);

-- One row: how often the store was opened, whether the last run closed it in good order, and the last run
-- that did not (0: none).
CREATE TABLE run (
    id          BIGINT NOT NULL PRIMARY KEY,
    epoch       BIGINT NOT NULL,
    clean       BIGINT NOT NULL,
    last_crash  BIGINT NOT NULL
);
INSERT INTO run (id, epoch, clean, last_crash) VALUES (1, 0, 1, 0);
