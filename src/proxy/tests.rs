//! The proxy against raw upstreams, behind the real listener, reader, policy and sessions.

mod failing;
mod forwarding;
mod lasting;
mod rig;
mod several;
