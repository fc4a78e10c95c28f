-- Invitations: single use. Tokens are the SHA-256 of what the links hold.
CREATE TABLE invitations (
    id          TEXT PRIMARY KEY,
    -- Of the link that its maker was shown.
    token       BYTEA NOT NULL UNIQUE,
    -- Of the link that was mailed to `email`: whoever brings it reads that mailbox.
    mailed      BYTEA UNIQUE,
    -- Whom it is for; without one, for whoever brings it.
    email       TEXT,
    email_key   TEXT,
    -- Comma separated (no group's name holds one).
    group_names TEXT NOT NULL,
    -- The administrator's account: it is worth nothing once they are none any more.
    made_by     TEXT NOT NULL,
    made_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    redeemed_at BIGINT,
    redeemed_by TEXT
);

-- The invitation that a registration came with; used up only when the account is made.
ALTER TABLE registrations ADD COLUMN invitation TEXT;

-- Since when an account waits for an administrator's approval. It is disabled until then.
ALTER TABLE accounts ADD COLUMN waiting_since BIGINT;
CREATE INDEX accounts_waiting ON accounts (waiting_since) WHERE waiting_since IS NOT NULL;
-- How many began to wait since administrators were last told, and when that was.
INSERT INTO counters (name, value) VALUES ('waiting-untold', 0);
INSERT INTO counters (name, value) VALUES ('waiting-told', 0);

-- The account of the administrator who did it, or who invited; empty otherwise.
ALTER TABLE trail ADD COLUMN doer TEXT NOT NULL DEFAULT '';
