use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

/// A short form of everybody: `at name <email> first|last groups hash`, and flags.
fn people(listed: &Listed) -> Vec<String> {
    let one = |person: &Imported| {
        let mut text = format!(
            "{} {} <{}> {}|{} {} {}",
            person.at,
            person.username,
            person.email,
            person.first_name,
            person.last_name,
            person.groups.join("+"),
            person.hash.expose_secret()
        );
        for (flag, word) in [(person.disabled, " disabled"), (person.superuser, " superuser")] {
            text.push_str(if flag { word } else { "" });
        }
        text
    };
    listed.people.iter().map(one).collect()
}

fn problems(listed: &Listed) -> Vec<String> {
    listed.problems.iter().map(|problem| format!("{}, {}: {}", problem.at, problem.field, problem.message)).collect()
}

const CSV: &str = "username,email,first_name,last_name,groups,password_hash,disabled\r
ada,ada@example.org,Ada,Lovelace,staff; wiki,scrypt:32768:8:1$x$y,\r
\"bob\",bob@example.org,\"Bob, the\",\"B \"\"x\"\"\",,\"$2b$12$x\",TRUE\r
";

#[test]
fn csv_is_read_by_its_header() {
    let listed = csv::read(CSV);
    assert_eq!(listed.problems, []);
    let expected = [
        "line 2 ada <ada@example.org> Ada|Lovelace staff+wiki scrypt:32768:8:1$x$y",
        "line 3 bob <bob@example.org> Bob, the|B \"x\"  $2b$12$x disabled",
    ];
    assert_eq!(people(&listed), expected);
    let other = csv::read("email,username\nada@example.org,ada\n\n\"\n\",x\nbob@example.org,bob");
    assert_eq!(people(&other), ["line 2 ada <ada@example.org> |  ", "line 6 bob <bob@example.org> |  "]);
    assert_eq!(problems(&other), ["line 4, email: There is a line break in it: is a quote missing?"]);
}

#[test]
fn csv_tells_columns_and_lines_that_do_not_fit() {
    for (text, part) in [
        ("username,phone\nada,1\n", "line 1, : `phone` is no column here"),
        ("username;email\nada;x\n", "`username;email` is no column here"),
        ("username,username\n", "line 1, username: This column is there twice"),
        ("email\nada@example.org\n", "line 1, username: This column is missing"),
        ("username,email\nada\n", "line 2, : Here are 1 columns, and 2 in the header"),
        ("username,email\nada,x,y\n", "line 2, : Here are 3 columns, and 2 in the header"),
        ("username,disabled\nada,maybe\n", "line 2, disabled: Say true or false"),
        ("username,password_hash\nada,\"x\nbob,y\n", "line 2, password_hash: There is a line break"),
    ] {
        let problems = problems(&csv::read(text));
        assert!(matches!(problems.as_slice(), [one] if one.contains(part)), "{text}: {problems:?}");
    }
}

const DJANGO: &str = r#"[
{"model": "auth.group", "pk": 3, "fields": {"name": "editors", "permissions": []}},
{"model": "sites.site", "pk": 1, "fields": {"name": 7, "username": false}},
{"model": "auth.user", "pk": 1, "fields": {"password": "pbkdf2_sha256$1$x$y", "last_login": null, "is_superuser": true,
 "username": "ada", "first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "is_staff": true,
 "is_active": true, "date_joined": "2020-01-01T00:00:00Z", "groups": [3], "user_permissions": []}},
{"model": "auth.user", "fields": {"password": "!x", "username": "bob", "email": "", "is_active": false,
 "groups": [["natural"]]}}
]"#;

#[test]
fn djangos_people_come_with_their_groups_by_key_or_by_name() {
    let listed = django::read(DJANGO);
    assert_eq!(problems(&listed), [] as [&str; 0]);
    let expected = [
        "user 1 ada <ada@example.org> Ada|Lovelace editors pbkdf2_sha256$1$x$y superuser",
        "record 4 bob <> | natural !x disabled",
    ];
    assert_eq!(people(&listed), expected);
}

#[test]
fn djangos_mistakes_are_told() {
    let user = |fields: &str| format!(r#"[{{"model": "auth.user", "pk": 9, "fields": {{{fields}}}}}]"#);
    for (text, part) in [
        ("[{\"model\": \"auth.user\"}]".to_owned(), "missing field `fields` at line 1"),
        ("[".into(), "EOF"),
        ("[]".into(), "There is no user in it"),
        ("[".repeat(10_000), "dumpdata"),
        (user(r#""username": "ada", "groups": [4]"#), "user 9, groups: Group 4 is not in the list"),
        (user(r#""username": "ada", "groups": 4"#), "user 9, groups: This is no list"),
        (user(r#""username": 4"#), "user 9, username: This is no text"),
        (user(r#""username": "ada", "is_active": "no""#), "user 9, is_active: This is neither"),
    ] {
        let problems = problems(&django::read(&text));
        assert!(matches!(problems.as_slice(), [one] if one.contains(part)), "{problems:?}");
    }
}

#[test]
fn htpasswd_has_a_line_for_each() {
    let listed = htpasswd::read("# people\n\nada:$apr1$x$y\r\n bob:{SHA}z\nnot-a-line\n");
    assert_eq!(people(&listed), ["line 3 ada <> |  $apr1$x$y", "line 4 bob <> |  {SHA}z"]);
    assert_eq!(problems(&listed), ["line 5, : This is no line of name:hash."]);
}

const AUTHELIA: &str = "---
# People
users:
  ada:
    disabled: false
    displayname: 'Ada King Lovelace'
    password: '$argon2id$v=19$m=65536,t=3,p=4$x$y'  # yamllint
    email: ada@example.org
    groups:
      - 'admins'
      - dev
    address:
      street_address: '1 Main'
  bob:
    given_name: Bob
    family_name: Builder
    displayname: Bobby
    password: \"{CRYPT}$6$x$y\"
    email: bob@example.org
    groups: []
    disabled: true
";

#[test]
fn authelias_people_are_read() {
    let listed = authelia::read(AUTHELIA);
    assert_eq!(problems(&listed), [] as [&str; 0]);
    let expected = [
        "line 4 ada <ada@example.org> Ada|King Lovelace admins+dev $argon2id$v=19$m=65536,t=3,p=4$x$y",
        "line 14 bob <bob@example.org> Bob|Builder  $6$x$y disabled",
    ];
    assert_eq!(people(&listed), expected);
}

#[test]
fn authelias_mistakes_are_told_with_their_line() {
    for (text, part) in [
        ("people:\n", ", : There is no `users:`"),
        ("users:\nmore: 1\n", "line 2, : `more` is not known"),
        ("users: ada\n", "line 1, : `users` holds no people"),
        ("users:\n  ada: x\n", "line 2, : Here are no fields"),
        ("users:\n  ada:\n    mail: x\n", "line 3, : `mail` is not known"),
        ("users:\n  ada:\n    disabled: 'true'\n", "line 3, disabled: Say true or false"),
        ("users:\n  ada:\n    disabled: yes\n", "line 3, disabled: Say true or false"),
        ("users:\n  ada:\n    groups: dev\n", "line 3, groups: This is no list"),
        ("users:\n  ada:\n    email:\n      - x\n", "line 3, email: This is no text"),
        ("users:\n  ada:\n    password: *x\n", "line 3, : This cannot be read here"),
    ] {
        let problems = problems(&authelia::read(text));
        assert!(matches!(problems.as_slice(), [one] if one.contains(part)), "{text}: {problems:?}");
    }
}

#[test]
fn the_format_is_told_by_the_content_where_that_is_plain() {
    for (text, format) in [
        (CSV, Some(Format::Csv)),
        ("\"email\",\"username\"\n", Some(Format::Csv)),
        (DJANGO, Some(Format::Django)),
        ("# x\nada:$apr1$x$y\n", Some(Format::Htpasswd)),
        ("ada:{SHA}x\n", Some(Format::Htpasswd)),
        (AUTHELIA, Some(Format::Authelia)),
        ("users: # everybody\n  ada:\n", Some(Format::Authelia)),
        ("", None),
        ("ada:rqXexS6ZhobKA\n", None),
        ("{\"model\": 1}", None),
        ("username\nada\n", None),
    ] {
        assert_eq!(guess(text), format, "{text}");
    }
}

#[test]
fn made_up_addresses_are_to_be_confirmed_unless_the_operator_vouches() {
    let complete = |flags: &[&str], email: &str| {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            import: Import,
        }
        let words = ["x", "people.csv", "--email-domain", "example.org", "--group", "staff"];
        let line = <Line as clap::Parser>::try_parse_from(words.iter().chain(flags)).unwrap();
        let mut person = Imported { username: "ada".into(), email: email.into(), ..Imported::default() };
        line.import.complete(&mut person);
        assert_eq!(person.groups, ["staff"]);
        (person.email, person.confirmed)
    };
    assert_eq!(complete(&[], "a@b.c"), ("a@b.c".into(), true));
    assert_eq!(complete(&["--unconfirmed"], "a@b.c"), ("a@b.c".into(), false));
    assert_eq!(complete(&[], ""), ("ada@example.org".into(), false));
    assert_eq!(complete(&["--confirmed"], ""), ("ada@example.org".into(), true));
}

#[test]
fn nothing_in_a_list_steers_the_terminal() {
    let mut listed = csv::read("username,\u{1b}[2Jx\n");
    listed.tell("line 2", "groups", "`\u{1b}[2J` cannot");
    let import = Import {
        file: "people.csv".into(),
        format: None,
        groups: Vec::new(),
        admins: false,
        email_domain: None,
        unconfirmed: false,
        confirmed: false,
        without_password: false,
        skip_existing: false,
        dry_run: false,
    };
    let text = format!("{:?}", refused(&import, &listed.problems));
    assert!(text.contains("2 problems") && !text.contains("\\u{1b}"), "{text}");
}

proptest! {
    #[test]
    fn whatever_a_list_holds_no_reader_breaks(text in "([a-c:;=\\-?#'\"\\[\\]{},&$!~\\\\ \t\r\n]|users:|username|\\PC){0,60}") {
        for read in [csv::read, django::read, htpasswd::read, authelia::read] {
            read(&text);
        }
        guess(&text);
    }
}
