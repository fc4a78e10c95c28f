//! Entering a code, sending it again, sending it another way: the same at sign-in and while enrolling.

use maud::{Markup, html};

use crate::{
    Channel, Factor, Frame,
    form::{self, Field, Kind},
    time,
};

/// The parts of a page that asks for a code.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodeEntry<'a> {
    pub frame: &'a Frame<'a>,
    /// Where `code` goes.
    pub check: &'a str,
    /// Where `channel` goes.
    pub send: &'a str,
    /// The primary button.
    pub submit: &'a str,
    pub masked: &'a str,
    pub channel: Channel,
    pub channels: &'a [Channel],
    pub resend_at: i64,
    pub now: i64,
}

/// Another factor of the account, to choose instead.
#[derive(Clone, Copy, Debug)]
pub struct Other<'a> {
    /// The value of the form field `factor`.
    pub name: &'a str,
    /// What it is.
    pub factor: Factor<'a>,
}

/// What stands in for every factor.
pub(super) fn recovery(frame: &Frame<'_>) -> Markup {
    html! { p { a href=(frame.to("login/verify?way=recovery")) { "Use a recovery code" } } }
}

/// A button for each.
pub(super) fn other_ways(frame: &Frame<'_>, send: &str, others: &[Other<'_>]) -> Markup {
    html! {
        @for other in others {
            (form::post(frame, send, &html! {
                (form::hidden("factor", other.name))
                button type="submit" {
                    @match other.factor {
                        Factor::App => "Use your authenticator app",
                        Factor::Passkey { .. } => "Use a passkey",
                        Factor::Push { name } => { "Approve it on " (name) }
                        Factor::Code { channel: Channel::Call, masked } => { "Call " (masked) }
                        Factor::Code { channel, masked } => { "Send a code " (channel.by()) " to " (masked) }
                    }
                }
            }))
        }
    }
}

impl CodeEntry<'_> {
    /// One input, never six boxes.
    pub(super) fn entry(&self) -> Markup {
        let fields = html! {
            (Field::new(Kind::Code, "code", "Code", "one-time-code").focus(true).render())
            (form::submit(self.submit))
        };
        html! {
            p { (self.channel.sent_to(self.masked)) }
            (form::post(self.frame, self.check, &fields))
        }
    }

    /// Nothing was sent yet: the primary button sends.
    pub(super) fn offer(&self) -> Markup {
        let fields = html! {
            (form::hidden("channel", self.channel.name()))
            (form::submit(if self.channel == Channel::Call { "Call me" } else { "Send code" }))
        };
        html! {
            p {
                @if self.channel == Channel::Call { "We can call " strong { (self.masked) } " to read you a code." }
                @else { "We can send a code " (self.channel.by()) " to " strong { (self.masked) } "." }
            }
            (form::post(self.frame, self.send, &fields))
        }
    }

    /// "Send again": when, and the button, which a delay in the stylesheet reveals then.
    pub(super) fn again(&self) -> Markup {
        let seconds = u64::try_from(self.resend_at.saturating_sub(self.now)).unwrap_or(0).div_ceil(1000);
        let after = html! { "Nothing arrived? You can have it sent again after " (time::second(self.resend_at)) "." };
        html! {
            div.again {
                @match wait_class(seconds) {
                    Some("") => { (self.send_by(self.channel, "Send again")) }
                    Some(wait) => {
                        p.hint.until.(wait) data-wait=(seconds) { (after) }
                        div.then.(wait) { (self.send_by(self.channel, "Send again")) }
                    }
                    // Too long to wait on an open page.
                    None => { p.hint { (after) " Reload this page then." } }
                }
            }
        }
    }

    /// "Another way": one button for each.
    /// `last`: what stands below them.
    pub(super) fn other_ways(&self, last: &Markup, factors: &[Other<'_>]) -> Markup {
        let others = || self.channels.iter().filter(|channel| **channel != self.channel);
        html! {
            details {
                summary { "Another way" }
                @for channel in others() { (self.send_by(*channel, channel.order())) }
                (other_ways(self.frame, self.send, factors))
                (last)
            }
        }
    }

    fn send_by(&self, channel: Channel, label: &str) -> Markup {
        let fields = html! {
            (form::hidden("channel", channel.name()))
            button type="submit" { (label) }
        };
        form::post(self.frame, self.send, &fields)
    }
}

/// The class of the stylesheet whose delay is the next step up; empty for no wait.
fn wait_class(seconds: u64) -> Option<&'static str> {
    if seconds == 0 {
        return Some("");
    }
    WAITS.iter().find(|(step, _)| *step >= seconds).map(|(_, class)| *class)
}

/// Steps of five seconds up to a minute, then longer ones; `assets/style.css` has the same list.
const WAITS: [(u64, &str); 17] = [
    (5, "wait-5"),
    (10, "wait-10"),
    (15, "wait-15"),
    (20, "wait-20"),
    (25, "wait-25"),
    (30, "wait-30"),
    (35, "wait-35"),
    (40, "wait-40"),
    (45, "wait-45"),
    (50, "wait-50"),
    (55, "wait-55"),
    (60, "wait-60"),
    (90, "wait-90"),
    (120, "wait-120"),
    (180, "wait-180"),
    (300, "wait-300"),
    (600, "wait-600"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_never_down() {
        assert_eq!(wait_class(0), Some(""));
        assert_eq!(wait_class(1), Some("wait-5"));
        assert_eq!(wait_class(20), Some("wait-20"));
        assert_eq!(wait_class(21), Some("wait-25"));
        assert_eq!(wait_class(61), Some("wait-90"));
        assert_eq!(wait_class(601), None);
    }

    #[test]
    fn the_stylesheet_knows_every_wait() {
        let style = include_str!("../../assets/style.css");
        for (seconds, class) in WAITS {
            assert!(style.contains(&format!(".{class} {{ animation-delay: {seconds}s; }}")), "{class}");
        }
    }
}
