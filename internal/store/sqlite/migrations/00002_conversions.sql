-- Times as in 00001.

-- +goose Up
CREATE TABLE conversion (
    account    TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    settings   TEXT    NOT NULL, -- JSON of arr.ConversionSettings
    status     TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    error      TEXT,             -- JSON of arr.Error
    sealed     BLOB,             -- credentials, encrypted
    starts     INTEGER NOT NULL,
    crashes    INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- Clients list the whole history of an account; the queue lists what has not ended, of all accounts.
CREATE INDEX conversion_order ON conversion (account, created_at, id);
CREATE INDEX conversion_live ON conversion (created_at, account, id) WHERE status IN ('NotStarted','Running');

-- +goose Down
DROP TABLE conversion;
