-- Passkeys (WebAuthn): beside the factor's row, what the library knows of the key. A ceremony is taken only when it began
-- after the last one that was, and when the device's counter has grown (or it has none).
CREATE TABLE passkeys (
    factor        TEXT PRIMARY KEY REFERENCES factors (id) ON DELETE CASCADE,
    credential_id BYTEA NOT NULL UNIQUE,
    credential    TEXT NOT NULL,
    counter       BIGINT NOT NULL DEFAULT 0,
    last_ceremony BIGINT NOT NULL DEFAULT 0,
    last_used_at  BIGINT
);
-- The factor (or "passkey" for all of them) that its owner wants to be asked for first.
ALTER TABLE accounts ADD COLUMN asked_first TEXT;
