//! Serve one request. The outer half times, logs and turns errors into answers; the inner half is straight `?`.
