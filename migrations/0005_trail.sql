-- What happened to accounts and who did it. Rows are only ever added, and dropped by age; they outlive their account.

CREATE TABLE trail (
    -- Grows in the order of the commits.
    id      BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    account TEXT NOT NULL,
    -- self, operator, system
    actor   TEXT NOT NULL,
    event   TEXT NOT NULL,
    -- done, refused
    result  TEXT NOT NULL,
    -- The client's /24 or /64; empty where there is none.
    network TEXT NOT NULL,
    -- Words of a closed set (the ways of a sign-in, why it was refused), or names of groups.
    detail  TEXT NOT NULL
);
CREATE INDEX trail_by_account ON trail (account, at, id);
CREATE INDEX trail_by_age ON trail (at);
CREATE INDEX trail_of_refusals ON trail (id) WHERE result = 'refused';
INSERT INTO counters (name, value) VALUES ('trail', 0);

-- Browsers that an account signed in with. `device` is the SHA-256 of what the browser's cookie holds.
CREATE TABLE devices (
    account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    device     BYTEA NOT NULL,
    words      TEXT NOT NULL,
    network    TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL,
    PRIMARY KEY (account, device)
);
