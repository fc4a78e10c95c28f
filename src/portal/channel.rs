//! The ways a code travels, between the configuration's words and the templates'.

use crate::config::verify::Channel;

/// The template's word for it.
pub(super) fn shown(channel: Channel) -> templates::Channel {
    match channel {
        Channel::Sms => templates::Channel::Sms,
        Channel::Call => templates::Channel::Call,
        Channel::Whatsapp => templates::Channel::Whatsapp,
        Channel::Email => templates::Channel::Email,
    }
}
