//! Arguments → configuration → run. Exit codes follow sysexits(3).
