//! The pages, one file each.

pub mod activity;
pub mod app;
pub mod code;
pub mod confirm;
pub mod demo;
pub mod edit;
pub mod email;
pub mod forgotten;
pub mod invitations;
pub mod leave;
pub mod passkey;
pub mod password;
pub mod people;
pub mod profile;
pub mod push;
pub mod recovery;
pub mod register;
pub mod reset;
pub mod second_factor;
pub mod sessions;
pub mod setup;
pub mod sign_in;
pub mod sign_out;
pub mod tokens;
pub mod trouble;
pub mod verify;

pub use self::{
    activity::{Activity, ActivityLine},
    app::{EnrolApp, VerifyApp},
    code::Other,
    confirm::{Confirm, ConfirmAddress},
    demo::Demo,
    edit::EditProfile,
    email::{ChangeEmail, NewEmail, UndoEmail},
    forgotten::{Forgotten, ForgottenSent},
    invitations::{InvitationLine, InvitationMade, Invitations},
    leave::DeleteAccount,
    passkey::{EnrolPasskey, PasskeySignIn, RenamePasskey, VerifyPasskey},
    password::ChangePassword,
    people::{DeclinePeople, DeclinePerson, People, PersonGroups, PersonLine, Standing},
    profile::Profile,
    push::{EnrolPush, VerifyPush},
    recovery::{RecoveryCodes, VerifyRecovery},
    register::{Invited, Register, RegisterSent},
    reset::Reset,
    second_factor::{Country, DisableFactor, EnablePhone, EnrolCode, FactorLine, SecondFactor},
    sessions::{SessionLine, Sessions, Way},
    setup::Setup,
    sign_in::SignIn,
    sign_out::SignOut,
    tokens::{FreshToken, SiteChoice, TokenLine, Tokens},
    trouble::{CookieReason, CookiesBlocked, DeadLink, FormLost, FrameSignIn, Link, Trouble, TroublePage},
    verify::Verify,
};
