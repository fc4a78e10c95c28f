//! Tables of what people type.

use super::*;

fn sentence(country: &str, typed: &str) -> String {
    match parse(country, typed) {
        Err(error) => error.message,
        Ok(number) => panic!("{typed} was taken as {}", number.e164()),
    }
}

#[test]
fn numbers_are_read_nationally_and_internationally() {
    let table = [
        ("KE", "0712 123456", "+254712123456"),
        ("ke", "712123456", "+254712123456"),
        ("KE", "+254 712 123 456", "+254712123456"),
        ("KE", "254712123456", "+254712123456"),
        ("US", "(201) 555-0123", "+12015550123"),
        ("US", "+44 7400 123456", "+447400123456"),
        ("", "+44 7400 123456", "+447400123456"),
        ("DE", "01512/3456789", "+4915123456789"),
        ("IT", "312 345 6789", "+393123456789"),
        ("IT", "02 1234 5678", "+390212345678"),
        ("JP", "０９０－１２３４－５６７８", "+819012345678"),
        ("JP", "＋８１ ９０ １２３４ ５６７８", "+819012345678"),
        ("EG", "٠١٠٠١٢٣٤٥٦٧", "+201001234567"),
        ("GB", "\u{202a}07400\u{a0}123456\u{202c}", "+447400123456"),
    ];
    for (country, typed, expected) in table {
        assert_eq!(parse(country, typed).as_ref().map(Number::e164), Ok(expected), "{country} {typed}");
    }
}

#[test]
fn an_incomplete_number_is_explained_in_words() {
    assert_eq!(sentence("KE", "0712 1234"), "That isn't a complete Kenyan number: 9 digits after +254.");
    assert_eq!(sentence("KE", "1"), "That isn't a complete Kenyan number. Example: 0712 123456");
    assert_eq!(sentence("US", "+254 712"), "That isn't a complete Kenyan number: 9 digits after +254.");
    assert_eq!(
        sentence("KE", "0012 123456"),
        "That isn't a Kenyan number in use. Check its digits. Example: 0712 123456"
    );
    assert!(sentence("GG", "07781").starts_with("That isn't a complete number for Guernsey: "));
    assert!(sentence("KE", "+999 12345").starts_with("No country's numbers begin like that."));
    assert_eq!(sentence("KE", "  "), "Enter your phone number.");
}

#[test]
fn a_number_without_a_country_asks_for_it() {
    for country in ["", "ZZ", "Kenya", "<script>"] {
        assert_eq!(parse(country, "0712 123456").unwrap_err().field, "country");
    }
}

#[test]
fn numbers_that_cost_the_caller_extra_are_refused() {
    for (country, typed) in
        [("US", "+1 900 234 5678"), ("GB", "0909 879 0123"), ("US", "800 234 5678"), ("", "+870 773111632")]
    {
        assert_eq!(sentence(country, typed), WRONG_KIND, "{typed}");
    }
}

#[test]
fn hostile_input_is_an_error_and_nothing_else() {
    let long = "1".repeat(10_000);
    let table = [
        long.as_str(),
        "+",
        "++254712123456",
        "+254+712123456",
        "0712123456;phone-context=+254",
        "tel:+254712123456",
        "0712123456 ext. 9",
        "1-800-FLOWERS",
        "0712\u{0}123456",
        "٪٪٪",
        "💥",
        "-",
        "()()()",
    ];
    for typed in table {
        assert!(parse("KE", typed).is_err(), "{typed:.60}");
    }
}

#[test]
fn every_region_has_a_name_a_code_and_an_example_that_is_a_number_there() {
    let mut missing: Vec<String> = PHONE_NUMBER_UTIL.get_supported_regions().map(|region| region.to_string()).collect();
    missing.retain(|code| country(code).is_none());
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(countries().len(), countries::NAMES.len());
    for country in countries() {
        let parsed = parse(country.code, &country.example);
        assert!(parsed.is_ok_and(|number| number.country().dial == country.dial), "{country:?}");
    }
}

#[test]
fn countries_are_sorted_by_name_with_accents_aside() {
    let names: Vec<&str> = countries().iter().map(|country| country.name).collect();
    let place = |name: &str| names.iter().position(|one| *one == name).unwrap();
    assert!(place("Albania") < place("Algeria") && place("Åland Islands") < place("Albania"));
    assert!(place("Türkiye") < place("Turkmenistan") && place("Côte d’Ivoire") < place("Croatia"));
    assert_eq!(names.last(), Some(&"Zimbabwe"));
}

#[test]
fn the_country_is_guessed_from_the_language() {
    let table = [
        ("en-KE,en;q=0.9,sw-KE;q=0.8", Some("KE")),
        ("en,de-CH;q=0.7", Some("CH")),
        ("fr;q=0.3, en-US;q=0.9, en-GB;q=0.95", Some("GB")),
        ("zh-Hant-TW", Some("TW")),
        ("de", Some("DE")),
        ("en", None),
        ("en-XX", None),
        ("de-DE;q=0", None),
        ("de-DE;q=nan, *", None),
        ("", None),
    ];
    for (header, expected) in table {
        assert_eq!(country_from_language(header), expected, "{header}");
    }
    assert_eq!(country_from_language(&"en-KE,".repeat(10_000)), None);
}

#[test]
fn only_the_last_two_digits_are_shown() {
    assert_eq!(parse("KE", "0712 123442").unwrap().masked(), "•••• 42");
}

#[test]
fn messages_are_asked_for_in_a_language_that_the_provider_knows() {
    let table = [
        ("de-AT,de;q=0.9,en;q=0.5", Some("de")),
        ("pt-BR,pt;q=0.9", Some("pt-BR")),
        ("EN-gb", Some("en-GB")),
        ("gsw,fr;q=0.3", Some("fr")),
        ("en;q=0.1,sw;q=0.8", Some("sw")),
        ("xx", None),
        ("*", None),
        ("", None),
        ("de;q=0", None),
    ];
    for (header, expected) in table {
        assert_eq!(locale_of_languages(header), expected, "{header}");
    }
    assert_eq!(locale_of_languages(&"de,".repeat(10_000)), None);
}
