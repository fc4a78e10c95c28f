-- Accounts, in the dialect SQLite and PostgreSQL share. Times are unix milliseconds.

CREATE TABLE accounts (
    id              TEXT PRIMARY KEY,
    username        TEXT NOT NULL UNIQUE,
    email           TEXT NOT NULL,
    email_key       TEXT NOT NULL UNIQUE,
    email_confirmed BOOLEAN NOT NULL,
    first_name      TEXT NOT NULL,
    last_name       TEXT NOT NULL,
    about_me        TEXT NOT NULL,
    password_hash   TEXT NOT NULL,
    disabled        BOOLEAN NOT NULL,
    chose_username  BOOLEAN NOT NULL,
    -- Grows with every row written to the outbox.
    generation      BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    last_seen_at    BIGINT
);

-- Names are never given to another person: rows with an account stay when the account goes, or takes another name.
-- Rows without one hold the name for whoever proves to own that address, until then.
CREATE TABLE usernames (
    username   TEXT PRIMARY KEY,
    account    TEXT,
    email_key  TEXT,
    held_until BIGINT
);

CREATE TABLE account_groups (
    account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL,
    PRIMARY KEY (account, group_name)
);
CREATE INDEX account_groups_by_name ON account_groups (group_name);

CREATE TABLE factors (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- JSON: the kind and what belongs to it.
    kind    TEXT NOT NULL,
    since   BIGINT NOT NULL
);
CREATE INDEX factors_by_account ON factors (account);

-- Registrations that wait for their mail to be answered. `token` is the SHA-256 of what the link holds.
CREATE TABLE registrations (
    token         BYTEA PRIMARY KEY,
    username      TEXT NOT NULL,
    email         TEXT NOT NULL,
    email_key     TEXT NOT NULL,
    first_name    TEXT NOT NULL,
    last_name     TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL
);
CREATE INDEX registrations_by_email ON registrations (email_key);
CREATE INDEX registrations_by_username ON registrations (username);

-- One-time links (reset, setup): one alive for each purpose and holder. `token` as above.
CREATE TABLE links (
    token      BYTEA PRIMARY KEY,
    purpose    TEXT NOT NULL,
    -- The account's id; empty for the setup link.
    holder     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    UNIQUE (purpose, holder)
);

-- Guarded changes on their way to the sessions.
CREATE TABLE outbox (
    id         BIGINT PRIMARY KEY,
    account    TEXT NOT NULL,
    -- The account's, after the change; the largest number once it is deleted.
    generation BIGINT NOT NULL,
    effect     TEXT NOT NULL,
    sid        TEXT,
    created_at BIGINT NOT NULL
);

-- Numbers given out inside the transaction that uses them.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('outbox', 0);
