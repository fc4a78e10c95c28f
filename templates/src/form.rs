//! What forms are built of: fields with their errors beside them.

/// One field of the form that came back, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldError<'a> {
    /// The form's field name.
    pub field: &'a str,
    /// A sentence.
    pub message: &'a str,
}
