-- The last step (RFC 6238) whose code an authenticator app's factor was shown by: each is good once, on all nodes.
ALTER TABLE factors ADD COLUMN last_step BIGINT NOT NULL DEFAULT 0;
