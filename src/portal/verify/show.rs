//! The pages of the second step, one for each kind of factor.

use templates::{
    Notice,
    page::{Other, Verify, VerifyApp, VerifyPasskey, VerifyPush, VerifyRecovery},
};

use super::{Owed, by_recovery};
use crate::{
    identity::challenge::{Asked, Delivery, Way},
    inbound::answer::Answer,
    portal::{
        channel,
        done::Done,
        factors,
        page::Back,
        respond::Guard,
        return_to::ReturnTo,
        visit::{Visit, encoded},
    },
};

/// What is asked for, or the way back by a recovery code.
pub(super) fn show(visit: &Visit<'_>, owed: &Owed, back: &Back) -> Answer {
    let (frame, alert) = (visit.frame(), back.shown_alert());
    let start_over = &start_over(&owed.to);
    let others: &Vec<_> = &owed.challenge.others.iter().map(other).collect();
    let page = match &owed.challenge.asked {
        _ if by_recovery(visit) => VerifyRecovery { frame, start_over, alert }.render(),
        Asked::App { .. } => VerifyApp { frame, others, start_over, alert }.render(),
        Asked::Passkey { ceremony } => {
            let options = ceremony.as_ref().map(|ceremony| &*ceremony.options);
            VerifyPasskey { frame, options, others, start_over, alert }.render()
        }
        Asked::Push { name, .. } => {
            let offered = visit.room.identity.offers_push();
            let number = owed.challenge.pushes.open.as_ref().map(|open| &*open.number);
            VerifyPush { frame, name, offered, number, others, start_over, alert }.render()
        }
        Asked::Code(delivery) => {
            let channels: Vec<_> = delivery.channels.iter().copied().map(channel::shown).collect();
            let went = delivery.started.as_ref().map_or(delivery.channel, |started| started.channel);
            Verify {
                frame,
                masked: &delivery.masked,
                channel: channel::shown(went),
                sent: delivery.started.is_some(),
                channels: &channels,
                others,
                resend_at: owed.challenge.resend_at.0,
                now: visit.now.0,
                start_over,
                notice: notice(visit, delivery, back),
                alert,
            }
            .render()
        }
    };
    back.finish(visit.page(back.status, Guard::SignIn, page))
}

fn notice(visit: &Visit<'_>, delivery: &Delivery, back: &Back) -> Option<Notice<'static>> {
    if back.shown_alert().is_some() {
        return None;
    }
    if delivery.fell_back {
        return Some(Notice::FellBackToCall);
    }
    let done = Done::parse(&visit.query("done")).filter(|done| matches!(done, Done::Sent | Done::NewCode));
    done.map(Done::notice)
}

fn other(way: &Way) -> Other<'_> {
    Other { name: &way.name, factor: factors::of_way(way) }
}

/// Below the portal's path, as the templates want it.
fn start_over(to: &ReturnTo) -> String {
    let page = "login?over=1".to_owned();
    if to.is_root() { page } else { format!("{page}&return_to={}", encoded(&to.location())) }
}
