-- Changes of an account's address: asked for until redeemed, then kept for as long as they can be undone. Tokens are the
-- SHA-256 of what the links hold. Not in `links`, which has one for each purpose and holder: every change has its own undo.

CREATE TABLE address_changes (
    -- Of the link to the new address.
    token     BYTEA PRIMARY KEY,
    account   TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    new_email TEXT NOT NULL,
    new_key   TEXT NOT NULL,
    asked_at  BIGINT NOT NULL,
    -- While asked for: until when the link works. Once redeemed: until when it can be undone, and the old address is held.
    until     BIGINT NOT NULL,
    -- Set once redeemed: the address before, the link to it, and the order of an account's changes.
    old_email TEXT,
    old_key   TEXT,
    undo      BYTEA UNIQUE,
    number    BIGINT
);
CREATE INDEX address_changes_by_account ON address_changes (account);
CREATE INDEX address_changes_by_old_key ON address_changes (old_key);
