-- Recovery codes: SHA-256 of the account's id and the code (80 random bits). Each is good once; new ones replace all.
CREATE TABLE recovery_codes (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash    BYTEA NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (account, hash)
);
