//! The second factor against the Twilio double and a real SQLite file.
