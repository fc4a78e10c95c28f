//! The proxy against raw upstreams.
