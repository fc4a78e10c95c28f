//! Logs: one subscriber, and the list of what is never logged.
//!
//! Never logged, at any level: passwords, codes, session ids and cookies, link tokens, phone numbers, e-mail
//! addresses, `Authorization`, query strings. People are named by account id, sessions by their public `sid`.
