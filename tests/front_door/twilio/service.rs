//! The rules of the service: verifications by destination, their limits and their answers. Synchronous and clockless
//! but for `now`, which the test moves.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::{
    ACCOUNT_SID, AUTH_TOKEN, Fault, SERVICE_SID, Seen, openapi,
    push::{self, Pushes},
};

pub const LIFE: Duration = Duration::from_secs(600);
pub const SENDS: usize = 5;
pub const CHECKS: u32 = 5;
const LARGE_PRIME: u64 = 104_729;

/// What goes back, or does not.
pub enum Answer {
    Json(u16, Value),
    Text(u16, String),
    Redirect(String),
    Truncated(Value),
    Never,
    Close,
    Reset,
}

/// One verification.
struct Verification {
    sid: String,
    to: String,
    code: String,
    status: &'static str,
    expires: Duration,
    sends: Vec<String>,
    checks: u32,
}

pub struct Service {
    pub now: Duration,
    pub next: VecDeque<Fault>,
    pub always: Option<Fault>,
    pub landlines: HashSet<String>,
    pub disabled: HashSet<String>,
    pub seen: Vec<Seen>,
    pub complaints: Vec<String>,
    pub pushes: Pushes,
    /// Of a code.
    pub digits: usize,
    count: u32,
    verifications: Vec<Verification>,
}

impl Service {
    pub fn new() -> Self {
        Self {
            now: Duration::ZERO,
            next: VecDeque::new(),
            always: None,
            landlines: HashSet::new(),
            disabled: HashSet::new(),
            seen: Vec::new(),
            complaints: Vec::new(),
            pushes: Pushes::default(),
            digits: 6,
            count: 0,
            verifications: Vec::new(),
        }
    }

    pub fn code_for(&self, to: &str) -> Option<String> {
        self.pending(to).map(|at| self.verifications[at].code.clone())
    }

    /// One request, from its head and body to its answer.
    pub fn receive(&mut self, head: &Parts, body: &[u8]) -> Answer {
        let path = head.uri.path().to_owned();
        let form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        self.seen.push(Seen { method: head.method.to_string(), path: path.clone(), form: form.clone() });
        let right = STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
        let sent = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        if sent != Some(&format!("Basic {right}")) {
            return error(401, 20003, "Authenticate");
        }
        let complaints = openapi::complaints(head, &form);
        if !complaints.is_empty() {
            self.complaints.extend(complaints);
            return error(400, 60200, "Invalid parameter");
        }
        let fault = self.next.pop_front().or_else(|| self.always.clone());
        if let Some(fault) = fault {
            return self.fail(fault, &path);
        }
        self.serve(head.method.as_str(), &path, form)
    }

    fn serve(&mut self, method: &str, path: &str, form: Vec<(String, String)>) -> Answer {
        let prefix = format!("/v2/Services/{SERVICE_SID}/");
        let Some(rest) = path.strip_prefix(&prefix) else {
            return error(404, 20404, "The requested resource was not found");
        };
        if let Some(answer) = self.pushes.serve(method, rest, &form, self.now) {
            return answer;
        }
        let form = &form.into_iter().collect::<HashMap<_, _>>();
        match (method, rest.split_once('/').unwrap_or((rest, ""))) {
            ("POST", ("Verifications", "")) => self.create(&form["To"], &form["Channel"]),
            ("POST", ("VerificationCheck", "")) => self.check(form),
            ("POST", ("Verifications", sid)) => self.update(sid, &form["Status"]),
            ("GET", ("Verifications", sid)) => match self.by_sid(sid) {
                Some(at) => Answer::Json(200, self.describe(at, "sms")),
                None => gone(),
            },
            _ => gone(),
        }
    }

    fn create(&mut self, to: &str, channel: &str) -> Answer {
        if self.disabled.contains(channel) {
            return error(400, 60223, "Delivery channel disabled");
        }
        if channel == "sms" && self.landlines.contains(to) {
            return error(403, 60205, "SMS is not supported by landline phone number");
        }
        if let Some(at) = self.pending(to) {
            if self.verifications[at].sends.len() >= SENDS {
                return error(429, 60203, "Max send attempts reached");
            }
            self.verifications[at].sends.push(channel.to_owned());
            return Answer::Json(201, self.describe(at, channel));
        }
        self.count += 1;
        self.verifications.push(Verification {
            sid: format!("VE{:032x}", self.count),
            to: to.to_owned(),
            code: self.written(LARGE_PRIME * u64::from(self.count)),
            status: "pending",
            expires: self.now + LIFE,
            sends: vec![channel.to_owned()],
            checks: 0,
        });
        Answer::Json(201, self.describe(self.verifications.len() - 1, channel))
    }

    fn check(&mut self, form: &HashMap<String, String>) -> Answer {
        let found = match form.get("VerificationSid") {
            Some(sid) => self.by_sid(sid),
            None => form.get("To").and_then(|to| self.pending(to)),
        };
        let Some(at) = found else { return gone() };
        let verification = &mut self.verifications[at];
        if verification.checks >= CHECKS {
            verification.status = "max_attempts_reached";
            return error(429, 60202, "Max check attempts reached");
        }
        verification.checks += 1;
        let mut status = 200;
        if verification.code == form["Code"] {
            verification.status = "approved";
            // Twilio's file lists both: the client takes any 2xx and looks at the status alone.
            status = 201;
        }
        let channel = verification.sends.last().cloned().unwrap_or_default();
        Answer::Json(status, self.describe(at, &channel))
    }

    fn update(&mut self, sid: &str, status: &str) -> Answer {
        let Some(at) = self.by_sid(sid) else { return gone() };
        self.verifications[at].status = if status == "approved" { "approved" } else { "canceled" };
        Answer::Json(200, self.describe(at, "sms"))
    }

    /// Ends what is under way for that destination.
    pub fn cancel(&mut self, to: &str) {
        if let Some(at) = self.pending(to) {
            self.verifications[at].status = "canceled";
        }
    }

    /// A number as a code.
    pub fn written(&self, number: u64) -> String {
        let all = 10_u64.pow(u32::try_from(self.digits).unwrap());
        format!("{:0width$}", number % all, width = self.digits)
    }

    fn pending(&self, to: &str) -> Option<usize> {
        self.verifications.iter().position(|one| one.to == to && self.lives(one))
    }
    fn by_sid(&self, sid: &str) -> Option<usize> {
        self.verifications.iter().position(|one| one.sid == sid && self.lives(one))
    }
    fn lives(&self, one: &Verification) -> bool {
        one.status == "pending" && self.now < one.expires
    }

    fn describe(&self, at: usize, channel: &str) -> Value {
        let one = &self.verifications[at];
        let attempts = one.sends.iter().enumerate().map(|(nth, channel)| {
            json!({"time": DATE, "channel": channel.to_uppercase(), "attempt_sid": format!("VL{nth:032x}")})
        });
        json!({
            "sid": one.sid, "service_sid": SERVICE_SID, "account_sid": ACCOUNT_SID, "to": one.to, "channel": channel,
            "status": one.status, "valid": one.status == "approved", "date_created": DATE, "date_updated": DATE,
            "lookup": {}, "amount": null, "payee": null, "send_code_attempts": attempts.collect::<Vec<_>>(), "sna": null,
            "url": format!("https://verify.twilio.com/v2/Services/{SERVICE_SID}/Verifications/{}", one.sid),
        })
    }

    fn fail(&mut self, fault: Fault, path: &str) -> Answer {
        match fault {
            Fault::TimeOut => Answer::Never,
            Fault::Reset => Answer::Reset,
            Fault::Hangup => Answer::Close,
            Fault::Garbage => Answer::Text(200, "<html><body>approved</body></html>".into()),
            Fault::Nonsense => Answer::Json(201, json!({"approved": true, "valid": true, "sid": 7})),
            Fault::Truncated => Answer::Truncated(json!({
                "status": "approved", "valid": true, "sid": format!("VE{:032x}", 1), "padding": "x".repeat(200),
            })),
            Fault::Oversized => Answer::Json(200, json!({"status": "approved", "padding": "x".repeat(1 << 20)})),
            Fault::Redirect => Answer::Redirect(format!("http://127.0.0.1:1{path}")),
            Fault::Approves => {
                let (sid, factor) = (format!("YC{:032x}", 0xffff), format!("YF{:032x}", 0xffff));
                Answer::Json(200, push::challenge(&sid, "somebody-else", &factor, "approved"))
            }
            Fault::Judges(status) => {
                let sid = format!("VE{:032x}", 1);
                Answer::Json(200, json!({"sid": sid, "status": status, "valid": true, "to": "", "channel": "sms"}))
            }
            Fault::Error { status, code } => error(status, code, "Commanded by the test"),
            Fault::Bare(status) => Answer::Text(status, "<html><body>Bad Gateway</body></html>".into()),
        }
    }
}

pub fn gone() -> Answer {
    error(404, 20404, "The requested resource was not found")
}

pub fn error(status: u16, code: u32, message: &str) -> Answer {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    Answer::Json(status, json!({"code": code, "message": message, "more_info": more_info, "status": status}))
}

pub const DATE: &str = "2015-07-30T20:00:00Z";
