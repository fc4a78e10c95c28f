//! Requests held against Twilio's own description of its API: path, method, fields, patterns, lengths, enums.

use std::sync::LazyLock;

use hyper::http::request::Parts;
use serde_json::Value;

static SPECIFICATION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("twilio_verify_v2.json")).unwrap());

const FORM: &str = "application/x-www-form-urlencoded";

/// Everything about the request that Twilio would refuse.
pub fn complaints(head: &Parts, form: &[(String, String)]) -> Vec<String> {
    let method = head.method.as_str().to_lowercase();
    let paths = SPECIFICATION["paths"].as_object().unwrap();
    let matching = paths.iter().filter_map(|(template, item)| Some((item, variables(template, head.uri.path())?)));
    // A path of fixed segments beats one of variables.
    let Some((item, variables)) = matching.min_by_key(|(_, variables)| variables.len()) else {
        return vec![format!("no such path: {}", head.uri.path())];
    };
    let operation = &item[&method];
    if operation.is_null() {
        return vec![format!("no {method} on {}", head.uri.path())];
    }
    let mut found = Vec::new();
    for (name, value) in &variables {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["name"] == *name && parameter["in"] == "path") {
            check(name, value, &parameter["schema"], &mut found);
        }
    }
    let query: Vec<(String, String)> =
        form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes()).into_owned().collect();
    for (name, value) in &query {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        match parameters.clone().find(|parameter| parameter["name"] == *name && parameter["in"] == "query") {
            Some(parameter) => check(name, value, &parameter["schema"], &mut found),
            None => found.push(format!("{name} is no parameter of this request")),
        }
    }
    let body = &operation["requestBody"]["content"][FORM]["schema"];
    if body.is_object() {
        let media = head.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
        if media != FORM {
            found.push(format!("content type is {media:?}"));
        }
        check_form(body, form, &mut found);
        check_words(head.uri.path(), form, &mut found);
    }
    found
}

/// The values of the template's `{Variables}`, if the path fits it.
fn variables<'a>(template: &str, path: &'a str) -> Option<Vec<(String, &'a str)>> {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    if template.len() != path.len() {
        return None;
    }
    let mut found = Vec::new();
    for (expected, given) in template.iter().zip(path) {
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => found.push((name.to_owned(), given)),
            None if *expected == given => {}
            None => return None,
        }
    }
    Some(found)
}

fn check_form(schema: &Value, form: &[(String, String)], found: &mut Vec<String>) {
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !form.iter().any(|(name, _)| name == required) {
            found.push(format!("{required} is missing"));
        }
    }
    for (nth, (name, value)) in form.iter().enumerate() {
        let many = schema["properties"][name]["type"] == "array";
        if !many && form[..nth].iter().any(|(earlier, _)| earlier == name) {
            found.push(format!("{name} is given twice"));
        }
        match &schema["properties"][name] {
            Value::Null => found.push(format!("{name} is no parameter of this request")),
            property => check(name, value, property, found),
        }
    }
}

/// One value against one schema. Values are never quoted: they are numbers and codes.
fn check(name: &str, value: &str, schema: &Value, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = SPECIFICATION.pointer(reference.trim_start_matches('#')).unwrap();
        return check(name, value, schema, found);
    }
    let length = value.chars().count() as u64;
    if schema["minLength"].as_u64().is_some_and(|least| length < least)
        || schema["maxLength"].as_u64().is_some_and(|most| length > most)
    {
        found.push(format!("{name} has the wrong length ({length})"));
    }
    if schema["enum"].as_array().is_some_and(|values| !values.iter().any(|one| one == value)) {
        found.push(format!("{name} is none of its values"));
    }
    if schema["pattern"].as_str().is_some_and(|pattern| !fits(value, pattern)) {
        found.push(format!("{name} does not fit its pattern"));
    }
}

/// The patterns of the file are all of the form `^XX[0-9a-fA-F]{32}$`.
fn fits(value: &str, pattern: &str) -> bool {
    let prefix = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix("[0-9a-fA-F]{32}$"));
    let prefix = prefix.unwrap_or_else(|| panic!("the double does not know the pattern {pattern}"));
    let hex = value.strip_prefix(prefix);
    hex.is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What the file says in words only.
fn check_words(path: &str, form: &[(String, String)], found: &mut Vec<String>) {
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let channel = field("Channel");
    if channel.is_some_and(|name| !["email", "sms", "whatsapp", "call", "sna", "auto"].contains(&name)) {
        found.push("Channel is none of the channels".into());
    }
    if let Some(to) = field("To") {
        let fits = if channel == Some("email") { to.contains('@') } else { is_e164(to) || to.contains('@') };
        if !fits || (channel.is_some_and(|name| name != "email") && !is_e164(to)) {
            found.push("To is neither E.164 nor an address that fits the channel".into());
        }
    }
    let identity = field("Identity").or(path.split_once("/Entities/").and_then(|(_, rest)| rest.split('/').next()));
    if let Some(identity) = identity {
        let plain = identity.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !plain || !(8..=64).contains(&identity.len()) {
            found.push("Identity is not 8 to 64 letters, digits and dashes".into());
        }
    }
    if field("Ttl").is_some_and(|ttl| !ttl.parse().is_ok_and(|ttl: u32| (60..=300).contains(&ttl))) {
        found.push("Ttl is not 60 to 300".into());
    }
    if path.ends_with("/Challenges") {
        check_challenge(form, found);
    }
    if path.ends_with("/VerificationCheck") {
        if !field("Code").is_some_and(|code| (4..=10).contains(&code.chars().count())) {
            found.push("Code is not 4 to 10 characters".into());
        }
        if field("To").is_none() && field("VerificationSid").is_none() {
            found.push("neither To nor VerificationSid".into());
        }
    }
}

fn check_challenge(form: &[(String, String)], found: &mut Vec<String>) {
    let all = |name: &'static str| form.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str());
    if !all("Details.Message").next().is_some_and(|message| (1..=256).contains(&message.chars().count())) {
        found.push("Details.Message is not 1 to 256 characters".into());
    }
    let rfc3339 = &time::format_description::well_known::Rfc3339;
    if all("ExpirationDate").any(|date| time::OffsetDateTime::parse(date, rfc3339).is_err()) {
        found.push("ExpirationDate is no date".into());
    }
    for one in all("Details.Fields") {
        let one: Value = serde_json::from_str(one).unwrap_or_default();
        let fits = |name: &str, most| one[name].as_str().is_some_and(|text| (1..=most).contains(&text.chars().count()));
        if !fits("label", 36) || !fits("value", 128) {
            found.push("a field of Details.Fields has no label or value that fits".into());
        }
    }
    if all("Details.Fields").count() > 20 {
        found.push("more than 20 Details.Fields".into());
    }
}

fn is_e164(to: &str) -> bool {
    let digits = to.strip_prefix('+').unwrap_or("");
    (2..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}
