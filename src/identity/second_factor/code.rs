//! A code as people type it.

use crate::identity::phone::fold_digit;

/// Its 4 to 10 digits: spaces and dashes stripped, digits of other scripts folded. `None` when it cannot be a code.
pub(super) fn read(typed: &str) -> Option<String> {
    if typed.chars().nth(LONGEST_TYPED).is_some() {
        return None;
    }
    let written = |c: &char| !c.is_whitespace() && !is_dash(*c);
    let digits: String = typed.chars().filter(written).map(fold_digit).collect::<Option<_>>()?;
    (4..=10).contains(&digits.len()).then_some(digits)
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '－')
}

const LONGEST_TYPED: usize = 64;

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn spaces_dashes_and_full_width_digits_are_read_as_meant() {
        for typed in ["123456", " 123 456 ", "123-456", "１２３ ４５６", "123–456", "١٢٣٤٥٦", "123\u{a0}456\n"]
        {
            assert_eq!(read(typed).as_deref(), Some("123456"), "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        let long = "1".repeat(100_000);
        for typed in ["", "   ", "123", "12345678901", "12a456", "123456;", "½2345", &long] {
            assert_eq!(read(typed), None, "{typed:.20}");
        }
    }
}
