//! Telephone numbers as people type them: national with a country, or international with a leading `+`.
//!
//! Parsed once into a [`Number`] by a port of libphonenumber. What is typed is hostile: it is bounded, folded and held
//! to digits and the usual punctuation before the port sees it. Errors are sentences for the form (PAGES, "Enable by phone").

mod countries;

use std::sync::LazyLock;

use rlibphonenumber::{
    PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region,
    get_national_significant_number_owned,
};

use super::FieldError;
use crate::verify::Destination;

/// A number that can be dialled: E.164, valid for its country, of a kind that people have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    e164: String,
    country: &'static Country,
}

/// One entry of the country picker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2, the form's value: `KE`.
    pub code: &'static str,
    /// In English: `Kenya`.
    pub name: &'static str,
    /// Without the plus: `254`.
    pub dial: u16,
    /// A mobile number as written at home: `0712 123456`.
    pub example: String,
    /// `Kenyan`; empty where English has none.
    adjective: &'static str,
}

/// Every country with telephone numbers, sorted by English name.
#[must_use]
pub fn countries() -> &'static [Country] {
    &COUNTRIES
}

/// The country of that code, in either case.
#[must_use]
pub fn country(code: &str) -> Option<&'static Country> {
    countries().iter().find(|country| country.code.eq_ignore_ascii_case(code))
}

/// Reads what was typed into the fields `country` and `phone`. A leading `+` overrides the country.
///
/// # Errors
/// A sentence beside the field that has to be mended.
pub fn parse(country_code: &str, typed: &str) -> Result<Number, FieldError> {
    let typed = clean(typed).map_err(of_phone)?;
    let chosen = country(country_code);
    let international = typed.starts_with('+');
    let region = match (international, chosen) {
        (true, _) => None,
        (false, Some(country)) => Some(region(country.code).ok_or_else(choose_country)?),
        (false, None) => return Err(choose_country()),
    };
    let parsed = PHONE_NUMBER_UTIL.parse(&typed, region).map_err(|error| of_phone(unparsable(&error, chosen)))?;
    let main_region = PHONE_NUMBER_UTIL.get_region_for_country_code(parsed.country_code);
    let about = if international { main_region.and_then(of_region) } else { chosen };
    if !parsed.is_valid() {
        return Err(of_phone(about.map_or_else(|| NO_SUCH_CODE.to_owned(), |country| incomplete(country, &parsed))));
    }
    // Numbers of no country (satellites, international free-phone) are dear to call and nobody's own.
    let Some(country) = parsed.get_region_code().and_then(of_region) else {
        return Err(of_phone(WRONG_KIND.to_owned()));
    };
    if !is_personal(parsed.get_type()) {
        return Err(of_phone(WRONG_KIND.to_owned()));
    }
    Ok(Number { e164: parsed.format_as(PhoneNumberFormat::E164).into_owned(), country })
}

/// The country a browser's `Accept-Language` points to, for preselecting: `en-KE,en;q=0.9` → `KE`.
#[must_use]
pub fn country_from_language(header: &str) -> Option<&'static str> {
    let wishes = wishes(header);
    let by_region = wishes.iter().find_map(|(_, tag)| tag.split('-').skip(1).find_map(|part| region_subtag(part)));
    by_region.or_else(|| wishes.iter().find_map(|(_, tag)| home_of_language(tag)))
}

/// The language of a browser's `Accept-Language` that code providers write and speak, best first: `de-AT,en;q=0.5` → `de`.
#[must_use]
pub fn locale_of_languages(header: &str) -> Option<&'static str> {
    wishes(header).iter().find_map(|(_, tag)| {
        let known = |tag: &str| LOCALES.iter().find(|locale| locale.eq_ignore_ascii_case(tag)).copied();
        known(tag).or_else(|| known(tag.split('-').next()?))
    })
}

/// Weights (thousandths) and tags, best first.
fn wishes(header: &str) -> Vec<(u16, &str)> {
    if header.len() > LONGEST_LANGUAGES {
        return Vec::new();
    }
    let mut wishes: Vec<(u16, &str)> = header.split(',').take(MOST_LANGUAGES).filter_map(wish).collect();
    // Stable: equal wishes stay in the order sent.
    wishes.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    wishes
}

impl Number {
    /// `+254712123456`
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.e164
    }
    /// Where it is at home.
    #[must_use]
    pub fn country(&self) -> &'static Country {
        self.country
    }
    /// `•••• 56`
    #[must_use]
    pub fn masked(&self) -> String {
        mask(&self.e164)
    }
}

/// The number as pages show it: its last two digits.
#[must_use]
pub fn mask(e164: &str) -> String {
    Destination::Phone(e164.to_owned()).masked()
}

/// Digits folded to ASCII, dashes and spaces to the plain ones; anything else is no telephone number.
fn clean(typed: &str) -> Result<String, String> {
    if typed.chars().nth(LONGEST_TYPED).is_some() {
        return Err("That is too long for a phone number.".to_owned());
    }
    let mut cleaned = String::with_capacity(typed.len());
    for c in typed.trim().chars() {
        match c {
            c if c.is_whitespace() => cleaned.push(' '),
            '+' | '＋' => cleaned.push('+'),
            '-' | '.' | '(' | ')' | '/' => cleaned.push(c),
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '－' => cleaned.push('-'),
            // Marks of writing direction come along when a number is copied from a page.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c => cleaned.push(fold_digit(c).ok_or("Write the number with digits only, as in 0712 123456.")?),
        }
    }
    let digits = cleaned.chars().filter(char::is_ascii_digit).count();
    match digits {
        0 => Err("Enter your phone number.".to_owned()),
        _ if cleaned.chars().skip(1).any(|c| c == '+') => Err("A + belongs at the beginning only.".to_owned()),
        _ => Ok(cleaned),
    }
}

/// The ASCII digit that a keyboard of another script meant.
pub(super) fn fold_digit(c: char) -> Option<char> {
    let zeros = ['0', '０', '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}'];
    let value = zeros.iter().find_map(|&zero| (c as u32).checked_sub(zero as u32).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}

/// "That isn't a complete Kenyan number: 9 digits after +254." or, with the right length, that it is not in use.
fn incomplete(country: &Country, parsed: &PhoneNumber) -> String {
    let lengths = lengths(parsed);
    let given = get_national_significant_number_owned(parsed).chars().count();
    let whose = country.described();
    if lengths.is_empty() || lengths.contains(&given) {
        return format!("That isn't {whose} in use. Check its digits. Example: {}", country.example);
    }
    let lengths: Vec<String> = lengths.iter().map(ToString::to_string).collect();
    let digits = match lengths.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        _ => lengths.concat(),
    };
    let whose = whose.replacen("a ", "a complete ", 1);
    format!("That isn't {whose}: {digits} digits after +{}.", country.dial)
}

/// How many digits follow the country's code in a mobile number there.
fn lengths(parsed: &PhoneNumber) -> Vec<usize> {
    let possible = |length: &usize| {
        let digits = 10_u64.pow(u32::try_from(*length).unwrap_or(0)) - 1;
        let number = PhoneNumber { country_code: parsed.country_code, national_number: digits, ..Default::default() };
        PHONE_NUMBER_UTIL
            .is_possible_number_for_type_with_reason(&number, PhoneNumberType::Mobile)
            .is_ok_and(|length| length == rlibphonenumber::NumberLengthType::IsPossible)
    };
    (4..=15).filter(possible).collect()
}

fn unparsable(error: &ParseError, chosen: Option<&Country>) -> String {
    match (error, chosen) {
        (ParseError::InvalidCountryCode, _) => NO_SUCH_CODE.to_owned(),
        (_, Some(country)) => {
            format!("That isn't {}. Example: {}", country.described().replacen("a ", "a complete ", 1), country.example)
        }
        (_, None) => "That isn't a complete phone number.".to_owned(),
    }
}

impl Country {
    /// "a Kenyan number", "an Indian number", "a number for Guernsey"
    fn described(&self) -> String {
        match self.adjective {
            "" => format!("a number for {}", self.name),
            // "a Ukrainian", "a US": with these two, a vowel does not sound like one.
            adjective if adjective.starts_with(['A', 'E', 'I', 'O']) => format!("an {adjective} number"),
            adjective => format!("a {adjective} number"),
        }
    }
}

/// Kinds that people have in their pocket or at home. The others cost the caller extra, reach nobody, or both.
fn is_personal(kind: PhoneNumberType) -> bool {
    use PhoneNumberType::{FixedLine, FixedLineOrMobile, Mobile, PersonalNumber, VoIP};
    matches!(kind, Mobile | FixedLine | FixedLineOrMobile | VoIP | PersonalNumber)
}

fn region(code: &str) -> Option<Region> {
    code.parse().ok()
}

fn of_region(region: Region) -> Option<&'static Country> {
    country(&region.to_string())
}

fn of_phone(message: String) -> FieldError {
    FieldError { field: "phone", message }
}

fn choose_country() -> FieldError {
    let message = "Choose the country, or begin the number with + and the country's code.".to_owned();
    FieldError { field: "country", message }
}

/// `de-CH;q=0.8` → weight in thousandths and tag; nothing for `*` and what is not wanted.
fn wish(item: &str) -> Option<(u16, &str)> {
    let (tag, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = match parameters.trim().strip_prefix("q=") {
        Some(quality) => quality.parse::<f32>().ok().filter(|quality| (0.0..=1.0).contains(quality))?,
        None => 1.0,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1 by the line above")]
    let thousandths = (weight * 1000.0) as u16;
    (thousandths > 0).then_some((thousandths, tag.trim()))
}

fn region_subtag(part: &str) -> Option<&'static str> {
    (part.len() == 2).then(|| country(part)).flatten().map(|country| country.code)
}

/// Where most people who ask for this language alone live, when that is a safe guess.
fn home_of_language(tag: &str) -> Option<&'static str> {
    let language = tag.split('-').next()?.to_ascii_lowercase();
    let found = HOMES.iter().find(|(name, _)| *name == language)?;
    region_subtag(found.1)
}

static COUNTRIES: LazyLock<Vec<Country>> = LazyLock::new(|| {
    let entry = |&(code, name, adjective): &(&'static str, &'static str, &'static str)| {
        let region = region(code)?;
        let dial = u16::try_from(PHONE_NUMBER_UTIL.get_country_code_for_region(region)?).ok()?;
        let mobile = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, PhoneNumberType::Mobile);
        let example = mobile.or_else(|_| PHONE_NUMBER_UTIL.get_example_number(region)).ok()?;
        let example = example.format_as(PhoneNumberFormat::National).into_owned();
        Some(Country { code, name, dial, example, adjective })
    };
    countries::NAMES.iter().filter_map(entry).collect()
});

const NO_SUCH_CODE: &str = "No country's numbers begin like that. After the + comes the country's code, as in +254.";
const WRONG_KIND: &str = "Codes can't be sent to that kind of number. Use a mobile number or your number at home.";
const LONGEST_TYPED: usize = 40;
/// Of Twilio Verify's default message, by channels that know languages.
const LOCALES: [&str; 45] = [
    "af", "ar", "ca", "cs", "da", "de", "el", "en", "en-GB", "es", "et", "fi", "fr", "he", "hi", "hr", "hu", "id",
    "it", "ja", "kn", "ko", "lt", "mr", "ms", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sv", "sw", "te",
    "th", "tl", "tr", "uk", "ur", "vi", "zh", "zh-CN", "zh-HK",
];
const LONGEST_LANGUAGES: usize = 512;
const MOST_LANGUAGES: usize = 16;

#[rustfmt::skip]
const HOMES: [(&str, &str); 38] = [
    ("am", "ET"), ("az", "AZ"), ("bg", "BG"), ("bn", "BD"), ("cs", "CZ"), ("da", "DK"), ("de", "DE"), ("el", "GR"),
    ("et", "EE"), ("fa", "IR"), ("fi", "FI"), ("fr", "FR"), ("he", "IL"), ("hi", "IN"), ("hr", "HR"), ("hu", "HU"),
    ("hy", "AM"), ("id", "ID"), ("is", "IS"), ("it", "IT"), ("ja", "JP"), ("ka", "GE"), ("ko", "KR"), ("lt", "LT"),
    ("lv", "LV"), ("nb", "NO"), ("ne", "NP"), ("nl", "NL"), ("pl", "PL"), ("ro", "RO"), ("sk", "SK"), ("sl", "SI"),
    ("sv", "SE"), ("sw", "KE"), ("th", "TH"), ("tr", "TR"), ("uk", "UA"), ("vi", "VN"),
];

#[cfg(test)]
mod tests;
