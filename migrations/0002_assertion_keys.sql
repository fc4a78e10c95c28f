-- Keys that sign identity assertions. `sealed` is nonce, PKCS#8 and tag of AES-256-GCM under a key derived from
-- `[secrets]`, with `kid` as associated data. A key signs from `signs_from` until the next one does.

CREATE TABLE assertion_keys (
    kid        TEXT PRIMARY KEY,
    sealed     BYTEA NOT NULL,
    signs_from BIGINT NOT NULL
);
