//! Everything people read: pages, mails, the stylesheet, the script and the icons, as pure views.
//!
//! This crate sees nothing of the gateway. A caller fills one struct per view and asks it to `render()`; times are unix
//! milliseconds, and "now" is always given. Forms post to paths under [`Frame::portal`] with the field names that DESIGN §3
//! lists; each view's documentation names its own.

pub mod asset;
pub mod avatar;
pub mod form;
pub mod frame;
pub mod mail;
pub mod page;
pub mod time;
pub mod words;

pub use self::{
    asset::{Asset, assets},
    form::FieldError,
    frame::{Frame, Person, TryingOut},
    mail::MailBody,
    words::{Alert, Channel, Factor, Notice},
};
pub use maud::Markup;
