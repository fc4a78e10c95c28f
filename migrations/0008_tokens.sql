-- Personal access tokens. `hash` is the SHA-256 of the id that the token holds.

CREATE TABLE tokens (
    -- The public name.
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash         BYTEA NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    -- Hosts of sites with a blank between them; empty for every site.
    sites        TEXT NOT NULL,
    -- JSON: what was shown at the sign-in that made it, and when.
    shown        TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    UNIQUE (account, name)
);
