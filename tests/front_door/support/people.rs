//! People in tests.

/// A password that is strong enough everywhere.
pub const PASSWORD: &str = "violet-harbour-93-lantern";
/// Another one.
pub const OTHER_PASSWORD: &str = "copper-meadow-47-sparrow";
