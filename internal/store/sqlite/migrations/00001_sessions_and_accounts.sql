-- Times are nanoseconds since 1970 in UTC; 0 is "not yet".

-- +goose Up
CREATE TABLE session (
    account                 TEXT    NOT NULL,
    id                      TEXT    NOT NULL,
    size                    TEXT    NOT NULL,
    status                  TEXT    NOT NULL,
    created_at              INTEGER NOT NULL,
    ready_at                INTEGER NOT NULL,
    ended_at                INTEGER NOT NULL,
    lease_minutes           INTEGER NOT NULL,
    requested_lease_minutes INTEGER NOT NULL,
    hostname                TEXT    NOT NULL,
    handshake_port          INTEGER NOT NULL,
    inspector_port          INTEGER NOT NULL,
    teraflops               REAL    NOT NULL,
    error                   TEXT,             -- JSON of arr.Error
    token_hash              BLOB    NOT NULL,
    started_at              INTEGER NOT NULL,
    handle                  TEXT,             -- JSON of session.Handle
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- List in order. Nearly all rows are of ended sessions, nearly all lists are of live ones: the second index keeps those
-- independent of the history. Its condition must be spelled as in the query (see whereStatus).
CREATE INDEX session_order ON session (created_at, account, id);
CREATE INDEX session_live ON session (created_at, account, id) WHERE status IN ('Starting','Ready');
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at > 0;

CREATE TABLE account (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    key_hash_1 BLOB    NOT NULL,
    key_hash_2 BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE account;
DROP TABLE session;
