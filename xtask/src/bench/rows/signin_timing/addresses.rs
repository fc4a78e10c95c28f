//! The same of the two pages that take an address and answer everybody alike: registering with one that is free or taken, and
//! asking for a reset link with one that is known or not.

use std::time::{Duration, Instant};

use super::{address, median};
use crate::{
    Failure,
    bench::{
        http::Client,
        report::{Goal, Verdict},
        vestibule::{Node, PASSWORD},
    },
};

/// A page and its two kinds of address; the first is the one that nobody has.
struct Page {
    path: &'static str,
    kinds: [&'static str; 2],
    what: &'static str,
    /// Where the answer leads.
    to: &'static str,
    /// What takes a millisecond is asked oftener, or the median says nothing.
    oftener: usize,
}

/// What was found: verdicts, and rows of the table.
pub(super) type Found = (Vec<Verdict>, Vec<Vec<String>>);

/// `known`: the taken addresses, one more than rounds.
pub(super) fn measure(
    node: &Node,
    rounds: usize,
    visits: &mut usize,
    known: impl Fn(usize) -> String,
) -> Result<Found, Failure> {
    let mut found = Found::default();
    for page in PAGES {
        let mut taken = [Vec::new(), Vec::new()];
        let mut failed = 0.0;
        // One round beforehand does not count.
        for number in 0..=rounds * page.oftener {
            // Each of the two first as often as the other.
            for side in [number % 2, 1 - number % 2] {
                let username = format!("new{side}n{number}");
                let email = if side == 0 { format!("{username}@example.com") } else { known(number % (rounds + 1)) };
                let (time, right) = page.ask(node, &username, &email, &address(visits))?;
                failed += if right { 0.0 } else { 1.0 };
                if number > 0 {
                    taken[side].push(time.as_secs_f64() * 1e3);
                }
                // What follows the answer is done before the next one is timed.
                std::thread::sleep(page.pause());
            }
        }
        let [free, taken] = taken.map(median);
        let off = (taken / free - 1.0) * 100.0;
        let row = |kind: &str, median: f64, off: &str| vec![kind.to_owned(), format!("{median:.2}"), off.to_owned()];
        found.1.push(row(page.kinds[0], free, "–"));
        found.1.push(row(page.kinds[1], taken, &format!("{off:+.1} %")));
        found.0.push(Verdict {
            what: page.what.into(),
            figure: format!("{off:+.1} %; {free:.2} ms and {taken:.2} ms"),
            value: off.abs(),
            must: Goal::AtMost(10.0),
            aim: Goal::AtMost(5.0),
            failed,
        });
    }
    Ok(found)
}

impl Page {
    /// Sends the form; how long it took, and whether the answer is the one that everybody gets.
    fn ask(&self, node: &Node, username: &str, email: &str, from: &str) -> Result<(Duration, bool), Failure> {
        let broken = |error: std::io::Error| error.to_string();
        let mut client = Client::open(node.front.plain, &node.host).map_err(broken)?;
        let from = format!("X-Forwarded-For: {from}");
        let page = client.get(self.path, std::slice::from_ref(&from)).map_err(broken)?;
        let token = page.hidden("csrf").ok_or_else(|| format!("{} has no token", self.path))?;
        let email = email.replace('@', "%40");
        let form = format!(
            "first_name=Nora&last_name=Newcomer&username={username}&email={email}&password={PASSWORD}&password_confirm={PASSWORD}&csrf={token}"
        );
        let start = Instant::now();
        let answer = client.post(self.path, &[from, page.cookie_line()], &form).map_err(broken)?;
        let time = start.elapsed();
        Ok((time, answer.status == 303 && answer.field("location").any(|to| to == self.to)))
    }

    fn pause(&self) -> Duration {
        // A reset link is made a tenth of a second after the answer.
        Duration::from_millis(if self.path.ends_with("forgot") { 200 } else { 50 })
    }
}

const PAGES: &[Page] = &[
    Page {
        path: "/.auth/register",
        kinds: ["registering, a free address", "registering, a taken one"],
        what: "registering with a taken address, median, against a free one",
        to: "/.auth/register/sent",
        oftener: 1,
    },
    Page {
        path: "/.auth/password/forgot",
        kinds: ["a reset link, an unknown address", "a reset link, a known one"],
        what: "asking for a reset link with a known address, median, against an unknown one",
        to: "/.auth/password/forgot?done=sent",
        oftener: 4,
    },
];
