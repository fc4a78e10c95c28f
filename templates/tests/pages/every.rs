//! Every portal page once, filled with the given texts; tests and the preview share it.

use std::time::Duration;

use templates::{Alert, Channel, Factor, FieldError, Frame, Markup, Notice, Person, TryingOut, page::*};

/// The texts that people or the outside supply.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    pub site_name: &'a str,
    pub called: &'a str,
    pub name: &'a str,
    pub username: &'a str,
    pub email: &'a str,
    pub place: &'a str,
    pub about: &'a str,
    pub error: &'a str,
    pub token: &'a str,
    pub masked: &'a str,
}

impl<'a> Texts<'a> {
    pub const FRIENDLY: Texts<'static> = Texts {
        site_name: "Vestibule",
        called: "Ada",
        name: "Ada Lovelace",
        username: "ada",
        email: "ada@example.org",
        place: "wiki.example.com/Notes/Engine",
        about: "Poetical science, mostly.\nAlso: engines.",
        error: "This has to be mended.",
        token: "c2VjcmV0LXRva2VuLWluLWEtbGluaw",
        masked: "•••• 42",
    };

    #[allow(dead_code, reason = "the preview has no hostile texts")]
    pub const fn all(text: &'a str) -> Self {
        Self {
            site_name: text,
            called: text,
            name: text,
            username: text,
            email: text,
            place: text,
            about: text,
            error: text,
            token: text,
            masked: text,
        }
    }
}

pub const NOW: i64 = 1_777_818_730_000;

pub fn frame(texts: Texts<'_>) -> Frame<'_> {
    Frame {
        site_name: texts.site_name,
        portal: "/.auth",
        assets: "/.auth/assets",
        person: None,
        back: Some("/"),
        trying_out: None,
        csrf: "csrf-token-csrf-token-csrf-token-csrf-token",
    }
}

/// Name and page; `countries` for the picker.
pub fn pages(texts: Texts<'_>, countries: &[Country<'_>]) -> Vec<(&'static str, Markup)> {
    let mut pages = entrance(texts);
    pages.extend(newcomers(texts));
    pages.extend(members(texts));
    pages.extend(administrators(texts));
    pages.extend(guarding(texts, countries));
    pages.extend(troubles(texts));
    pages
}

fn entrance(t: Texts<'_>) -> Vec<(&'static str, Markup)> {
    let frame = frame(t);
    let sign_in = SignIn {
        frame,
        to_label: Some(t.place),
        return_to: t.place,
        identifier: "",
        remember: false,
        remember_for: Some(Duration::from_secs(2_592_000)),
        can_register: true,
        passkey: Some(PasskeySignIn { options: OPTIONS, ceremony: t.token }),
        notice: None,
        still_on: &[],
        alert: None,
    };
    let after_reset = [
        FactorLine { id: "1", factor: Factor::Passkey { name: t.name }, since: NOW, last_used: None },
        FactorLine { id: "2", factor: Factor::App, since: NOW, last_used: None },
    ];
    let verify = Verify {
        frame,
        masked: t.masked,
        channel: Channel::Sms,
        sent: true,
        channels: &[Channel::Sms, Channel::Call, Channel::Whatsapp],
        others: &[],
        resend_at: NOW + 18_000,
        now: NOW,
        start_over: "login?return_to=%2F",
        notice: None,
        alert: None,
    };
    vec![
        ("sign-in", sign_in.render()),
        (
            "sign-in-after-reset",
            SignIn { notice: Some(Notice::PasswordReset), still_on: &after_reset, ..sign_in }.render(),
        ),
        (
            "sign-in-wrong",
            SignIn { identifier: t.username, remember: true, alert: Some(Alert::Mismatch), ..sign_in }.render(),
        ),
        (
            "sign-in-throttled",
            SignIn {
                identifier: t.username,
                notice: Some(Notice::SessionEnded(Some(t.place))),
                alert: Some(Alert::Throttled { until: NOW }),
                ..sign_in
            }
            .render(),
        ),
        ("verify", verify.render()),
        (
            "verify-wrong",
            Verify {
                resend_at: NOW,
                alert: Some(Alert::WrongCode { left: 3 }),
                frame: Frame { trying_out: Some(TryingOut::Codes), ..frame },
                ..verify
            }
            .render(),
        ),
        (
            "verify-unsent",
            Verify { sent: false, notice: Some(Notice::FellBackToCall), channel: Channel::Call, ..verify }.render(),
        ),
        (
            "verify-or-app",
            Verify {
                others: &[
                    Other { name: t.token, factor: Factor::App },
                    Other { name: "passkey", factor: Factor::Passkey { name: "" } },
                ],
                ..verify
            }
            .render(),
        ),
        (
            "verify-recovery",
            VerifyRecovery { frame, start_over: "login", alert: Some(Alert::WrongCode { left: 3 }) }.render(),
        ),
        ("verify-app", VerifyApp { frame, others: &[], start_over: "login", alert: None }.render()),
        (
            "verify-app-or-code",
            VerifyApp {
                frame,
                others: &[Other { name: t.token, factor: Factor::Code { channel: Channel::Sms, masked: t.masked } }],
                start_over: "login",
                alert: Some(Alert::WrongCode { left: 3 }),
            }
            .render(),
        ),
        (
            "verify-passkey",
            VerifyPasskey {
                frame,
                options: Some(OPTIONS),
                others: &[Other { name: t.token, factor: Factor::App }],
                start_over: "login",
                alert: Some(Alert::PasskeyFailed),
            }
            .render(),
        ),
        (
            "verify-no-passkey",
            VerifyPasskey { frame, options: None, others: &[], start_over: "login", alert: None }.render(),
        ),
        (
            "verify-push",
            VerifyPush {
                frame,
                name: t.name,
                offered: true,
                number: Some("47"),
                others: &[Other { name: t.token, factor: Factor::App }],
                start_over: "login",
                alert: Some(Alert::PushPending),
            }
            .render(),
        ),
        (
            "verify-push-unsent",
            VerifyPush {
                frame,
                name: t.name,
                offered: true,
                number: None,
                others: &[Other { name: t.token, factor: Factor::Push { name: t.name } }],
                start_over: "login",
                alert: Some(Alert::PushDenied { until: NOW }),
            }
            .render(),
        ),
        (
            "verify-no-push",
            VerifyPush {
                frame,
                name: t.name,
                offered: false,
                number: None,
                others: &[],
                start_over: "login",
                alert: None,
            }
            .render(),
        ),
        ("signed-out", SignOut { frame, alert: None }.render()),
    ]
}

/// As the library writes them.
const OPTIONS: &str =
    r#"{"challenge":"c2VjcmV0","rpId":"localhost","allowCredentials":[],"userVerification":"required"}"#;

fn administrators(t: Texts<'_>) -> Vec<(&'static str, Markup)> {
    let frame = Frame { person: Some(Person { name: t.called }), ..frame(t) };
    let own = PersonLine {
        id: t.token,
        name: t.name,
        username: t.username,
        email: t.email,
        email_confirmed: true,
        groups: t.about,
        standing: Standing::Active,
        last_seen: Some(NOW - 300_000),
        own: true,
    };
    let disabled =
        PersonLine { email_confirmed: false, standing: Standing::Disabled, last_seen: None, own: false, ..own };
    let waiting = PersonLine { standing: Standing::Waiting(NOW - 86_400_000), groups: "", ..disabled };
    let whole = PersonLine { id: "0197a0c4-5d1e-7cc3-98a4-1f5f0f7c0a11", groups: t.about, ..waiting };
    let people = People {
        frame,
        lines: &[own, disabled, waiting],
        sought: t.name,
        only_waiting: false,
        waiting: 1,
        after: t.username,
        more: Some("admin/people?after=ada"),
        now: NOW,
        notice: Some(Notice::PersonApproved),
        alert: None,
    };
    let errors = [FieldError { field: "groups", message: t.error }];
    let groups = PersonGroups {
        frame,
        id: t.token,
        name: t.name,
        username: t.username,
        groups: t.about,
        errors: &errors,
        alert: None,
    };
    let bound =
        InvitationLine { id: t.token, email: Some(t.email), groups: t.about, maker: t.username, expires_at: NOW };
    let errors = [FieldError { field: "email", message: t.error }, FieldError { field: "days", message: t.error }];
    let invitations = Invitations {
        frame,
        taken: true,
        email: t.email,
        groups: t.about,
        days: "7",
        lines: &[bound, InvitationLine { email: None, groups: "", ..bound }],
        older: Some("admin/invitations?from=20"),
        notice: None,
        errors: &errors,
        alert: None,
    };
    let made =
        InvitationMade { frame, link: t.token, mailed_to: None, confirms: true, lives: Duration::from_secs(604_800) };
    vec![
        ("people", people.render()),
        ("people-full", People { lines: &[whole; People::A_PAGE], ..people }.render()),
        (
            "people-nobody",
            People { lines: &[], waiting: 0, more: None, notice: None, alert: Some(Alert::Say(t.error)), ..people }
                .render(),
        ),
        ("people-waiting", People { lines: &[whole; People::A_PAGE], only_waiting: true, ..people }.render()),
        (
            "decline-all",
            DeclinePeople {
                frame,
                ids: t.token,
                people: &[(t.name.to_owned(), t.username, t.email), (t.name.to_owned(), t.username, t.email)],
            }
            .render(),
        ),
        ("groups", PersonGroups { errors: &[], ..groups }.render()),
        ("groups-faulty", groups.render()),
        ("decline", DeclinePerson { frame, id: t.token, name: t.name, username: t.username, email: t.email }.render()),
        ("invitations", invitations.render()),
        (
            "invitations-closed",
            Invitations { taken: false, lines: &[], older: None, errors: &[], ..invitations }.render(),
        ),
        ("invitation-made", made.render()),
        ("invitation-mailed", InvitationMade { mailed_to: Some(t.email), ..made }.render()),
    ]
}

fn newcomers(t: Texts<'_>) -> Vec<(&'static str, Markup)> {
    let frame = frame(t);
    let register = Register {
        frame: Frame { trying_out: Some(TryingOut::Codes), ..frame },
        invited: None,
        approved: false,
        first_name: "",
        last_name: "",
        username: "",
        email: "",
        min_length: 10,
        errors: &[],
        alert: None,
    };
    let errors = [
        FieldError { field: "username", message: t.error },
        FieldError { field: "password", message: t.error },
        FieldError { field: "password_confirm", message: t.error },
    ];
    let lives = Duration::from_secs(600);
    vec![
        ("register", register.render()),
        ("register-approved", Register { approved: true, ..register }.render()),
        (
            "register-invited",
            Register { invited: Some(Invited { token: t.token, bound: true }), email: t.email, ..register }.render(),
        ),
        (
            "register-errors",
            Register {
                first_name: t.name,
                last_name: t.name,
                username: t.username,
                email: t.email,
                errors: &errors,
                alert: Some(Alert::Say(t.error)),
                ..register
            }
            .render(),
        ),
        ("register-sent", RegisterSent { frame, approved: true, lives }.render()),
        ("confirm", Confirm { frame, token: t.token, alert: None }.render()),
        ("confirm-address", ConfirmAddress { frame, token: t.token, alert: None }.render()),
        (
            "setup",
            Setup {
                frame,
                token: t.token,
                first_name: t.name,
                last_name: "",
                username: t.username,
                email: "",
                min_length: 10,
                errors: &errors[..1],
                alert: None,
            }
            .render(),
        ),
        ("forgotten", Forgotten { frame, email: t.email, errors: &[], alert: None }.render()),
        ("forgotten-sent", ForgottenSent { frame, lives }.render()),
        ("reset", Reset { frame, token: t.token, min_length: 10, errors: &[], alert: None }.render()),
    ]
}

fn members(t: Texts<'_>) -> Vec<(&'static str, Markup)> {
    let frame = Frame { person: Some(Person { name: t.called }), ..frame(t) };
    let factor = FactorLine {
        id: t.token,
        factor: Factor::Code { channel: Channel::Sms, masked: t.masked },
        since: NOW - 86_400_000,
        last_used: None,
    };
    let about_errors =
        [FieldError { field: "about_me", message: t.error }, FieldError { field: "username", message: t.error }];
    let email_errors = [FieldError { field: "email", message: t.error }];
    let profile = Profile {
        frame,
        id: "0197a0c4-5d1e-7cc3-98a4-1f5f0f7c0a11",
        name: t.name,
        username: t.username,
        about_me: t.about,
        email: t.email,
        email_confirmed: true,
        confirm_email: None,
        member_since: NOW - 40 * 86_400_000,
        last_seen: Some(NOW - 300_000),
        now: NOW,
        factors: &[],
        factors_offered: true,
        administrator: false,
        notice: None,
        alert: None,
    };
    vec![
        ("profile", profile.render()),
        ("profile-password", Profile { notice: Some(Notice::PasswordChanged { tokens: 1 }), ..profile }.render()),
        (
            "profile-guarded",
            Profile {
                factors: &[factor],
                email_confirmed: false,
                confirm_email: Some("profile/confirm"),
                administrator: true,
                notice: Some(Notice::FactorOn),
                ..profile
            }
            .render(),
        ),
        (
            "edit",
            EditProfile {
                frame,
                first_name: t.name,
                last_name: t.name,
                one_name: false,
                username: t.username,
                username_fixed: false,
                about_me: t.about,
                errors: &about_errors,
                alert: None,
            }
            .render(),
        ),
        (
            "email",
            ChangeEmail { frame, current: t.email, email: t.email, codes: true, errors: &email_errors, alert: None }
                .render(),
        ),
        (
            "delete",
            DeleteAccount { frame, username: t.username, errors: &[], alert: Some(Alert::Say(t.error)) }.render(),
        ),
        ("email-new", NewEmail { frame, token: t.token, email: t.email, alert: None }.render()),
        ("email-undo", UndoEmail { frame, token: t.token, email: t.email, alert: Some(Alert::FormExpired) }.render()),
        ("password", ChangePassword { frame, username: t.username, min_length: 10, errors: &[], alert: None }.render()),
        ("sign-out", SignOut { frame, alert: None }.render()),
    ]
}

fn guarding(t: Texts<'_>, countries: &[Country<'_>]) -> Vec<(&'static str, Markup)> {
    let frame = Frame { person: Some(Person { name: t.called }), ..frame(t) };
    let factor = FactorLine {
        id: t.token,
        factor: Factor::Code { channel: Channel::Sms, masked: t.masked },
        since: NOW - 86_400_000,
        last_used: None,
    };
    let app = FactorLine { factor: Factor::App, ..factor };
    let enrol_app = EnrolApp {
        frame,
        path: "M0 0h7v1h-7zM8 0h1v1h-1zM0 6h7v1h-7z",
        side: 37,
        secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        url: "otpauth://totp/Site:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Site",
        alert: None,
        notice: None,
    };
    let errors = [FieldError { field: "phone", message: t.error }];
    let phone = EnablePhone {
        frame,
        countries,
        country: "KE",
        phone: "",
        channels: &[Channel::Sms, Channel::Call],
        channel: Channel::Sms,
        errors: &[],
        alert: None,
        notice: None,
    };
    let session = SessionLine {
        id: t.token,
        device: t.name,
        network: "192.0.2.0/24",
        ways: &[Way::Password, Way::Message],
        first_seen: NOW - 86_400_000,
        last_seen: NOW - 300_000,
        this: false,
    };
    let this = SessionLine { device: "Safari on iPhone", last_seen: NOW, this: true, ..session };
    let unknown = SessionLine { device: "", network: "", ways: &[], ..session };
    let sessions = Sessions {
        frame,
        lines: &[this, session, unknown],
        others: true,
        older: None,
        now: NOW,
        notice: None,
        alert: None,
    };
    let token = TokenLine {
        id: t.token,
        name: t.name,
        sites: &[],
        made: NOW - 86_400_000,
        last_used: None,
        expires: NOW + 86_400_000,
    };
    let used = TokenLine { sites: &["wiki.example.com", t.place], last_used: Some(NOW - 300_000), ..token };
    let choices = [
        SiteChoice { host: "wiki.example.com", chosen: true },
        SiteChoice { host: "files.example.com", chosen: false },
    ];
    let token_errors =
        [FieldError { field: "name", message: t.error }, FieldError { field: "sites", message: t.error }];
    let tokens = Tokens {
        frame,
        lines: &[token, used],
        fresh: None,
        confirm: None,
        name: t.name,
        sites: &choices,
        all: false,
        days: 90,
        now: NOW,
        notice: None,
        errors: &[],
        alert: None,
    };
    let fresh = FreshToken {
        name: t.name,
        value: "vst_c2VjcmV0LXRva2VuLXNlY3JldC10b2tlbi1zZWNyZXQtdG9rZW4tc2VjcmV0LXRva2Vu",
        url: "https://wiki.example.com/",
    };
    let security = SecondFactor {
        frame,
        factors: &[],
        codes: true,
        apps: true,
        passkeys: true,
        push: true,
        ways: &[],
        recovery: None,
        notice: None,
        alert: None,
    };
    let passkey = FactorLine { factor: Factor::Passkey { name: t.name }, last_used: Some(NOW), ..factor };
    let ways = [
        Other { name: "passkey", factor: Factor::Passkey { name: "" } },
        Other { name: t.token, factor: Factor::App },
        Other { name: t.token, factor: Factor::Code { channel: Channel::Sms, masked: t.masked } },
    ];
    let push = FactorLine { factor: Factor::Push { name: t.name }, ..factor };
    let enrol_push = EnrolPush { frame, token: Some(t.token), alert: None, notice: None };
    let name_errors = [FieldError { field: "name", message: t.error }];
    let enrol_passkey = EnrolPasskey { frame, options: OPTIONS, name: t.name, alert: None };
    let activity = ActivityLine { words: t.name, refused: false, network: "", at: NOW };
    let refused = ActivityLine {
        words: "Somebody who knew your password had no tries left for codes",
        refused: true,
        network: "2001:db8:1234:5678::/64",
        at: NOW,
    };
    vec![
        ("security", SecondFactor { notice: Some(Notice::FactorWanted(Some(t.place))), ..security }.render()),
        ("security-on", SecondFactor { factors: &[factor], ..security }.render()),
        ("security-more", SecondFactor { factors: &[app], recovery: Some(0), ..security }.render()),
        ("recovery-none", RecoveryCodes { frame, left: 0, codes: &[], alert: None }.render()),
        ("recovery-left", RecoveryCodes { frame, left: 7, codes: &[], alert: Some(Alert::StoreDown) }.render()),
        (
            "recovery-fresh",
            RecoveryCodes { frame, left: 10, codes: &["abcd-efgh-ijkl-mnop"; 10], alert: None }.render(),
        ),
        ("security-all", SecondFactor { factors: &[factor, app, passkey, passkey], ways: &ways, ..security }.render()),
        ("passkey", enrol_passkey.render()),
        ("passkey-wrong", EnrolPasskey { alert: Some(Alert::PasskeyFailed), ..enrol_passkey }.render()),
        (
            "passkey-rename",
            RenamePasskey { frame, factor: t.token, name: t.name, errors: &name_errors, alert: None }.render(),
        ),
        (
            "disable-passkey",
            DisableFactor { frame, factor: passkey, last: false, demanded: false, username: t.username, alert: None }
                .render(),
        ),
        (
            "disable-not",
            DisableFactor { frame, factor: app, last: true, demanded: true, username: t.username, alert: None }
                .render(),
        ),
        ("push", enrol_push.render()),
        ("push-not-there", EnrolPush { token: None, alert: Some(Alert::PushNotThere), ..enrol_push }.render()),
        ("security-push", SecondFactor { factors: &[push], ..security }.render()),
        ("security-both", SecondFactor { factors: &[factor, app], ..security }.render()),
        ("app", enrol_app.render()),
        ("app-wrong", EnrolApp { alert: Some(Alert::WrongCode { left: 3 }), ..enrol_app }.render()),
        (
            "disable-one",
            DisableFactor { frame, factor: app, last: false, demanded: false, username: t.username, alert: None }
                .render(),
        ),
        ("sessions", Sessions { notice: Some(Notice::DeviceSignedOut), ..sessions }.render()),
        ("sessions-others", Sessions { notice: Some(Notice::OthersSignedOut { tokens: 2 }), ..sessions }.render()),
        ("sessions-alone", Sessions { lines: &[this], others: false, ..sessions }.render()),
        (
            "sessions-many",
            Sessions {
                lines: &[session; Sessions::A_PAGE],
                older: Some("sessions?from=20"),
                alert: Some(Alert::FormExpired),
                ..sessions
            }
            .render(),
        ),
        ("tokens", Tokens { notice: Some(Notice::TokenRevoked), ..tokens }.render()),
        ("tokens-error", Tokens { errors: &token_errors, ..tokens }.render()),
        ("tokens-confirm", Tokens { lines: &[], confirm: Some("login?again=1"), ..tokens }.render()),
        ("tokens-one-site", Tokens { sites: &choices[..1], alert: Some(Alert::FormExpired), ..tokens }.render()),
        ("tokens-fresh", Tokens { fresh: Some(fresh), ..tokens }.render()),
        ("activity", Activity { frame, lines: &[activity, refused], newest: true, older: None }.render()),
        (
            "activity-many",
            Activity {
                frame,
                lines: &[refused; Activity::A_PAGE],
                newest: false,
                older: Some("activity?before=1234567890"),
            }
            .render(),
        ),
        ("activity-none", Activity { frame, lines: &[], newest: true, older: None }.render()),
        ("enable", phone.render()),
        ("enable-or-mail", EnablePhone { channels: &[Channel::Sms, Channel::Email], ..phone }.render()),
        ("enable-by-mail", EnablePhone { channels: &[Channel::Email], channel: Channel::Email, ..phone }.render()),
        ("enable-error", EnablePhone { phone: t.username, errors: &errors, ..phone }.render()),
        (
            "enrol-code",
            EnrolCode {
                frame,
                masked: t.masked,
                channel: Channel::Call,
                channels: &[Channel::Sms, Channel::Call],
                resend_at: NOW + 5000,
                now: NOW,
                notice: Some(Notice::FellBackToCall),
                alert: None,
            }
            .render(),
        ),
        (
            "disable",
            DisableFactor {
                frame,
                factor,
                last: true,
                demanded: false,
                username: t.username,
                alert: Some(Alert::WrongPassword),
            }
            .render(),
        ),
    ]
}

fn troubles(t: Texts<'_>) -> Vec<(&'static str, Markup)> {
    let frame = frame(t);
    let page = |trouble| TroublePage { frame, trouble, reference: "9f31c2d4a7b80e56" }.render();
    let cookies = |reason| CookiesBlocked { frame, reason, portal_url: t.place, login: "/.auth/login" }.render();
    vec![
        ("400", page(Trouble::BadRequest(t.error))),
        ("403", page(Trouble::Forbidden { name: t.called, wanted: "group staff" })),
        ("403-closed", page(Trouble::RegistrationClosed)),
        ("403-invitation", page(Trouble::InvitationOnly)),
        ("503-full", page(Trouble::RegistrationFull)),
        ("404", page(Trouble::NotFound)),
        ("405", page(Trouble::Method)),
        ("408", page(Trouble::Timeout)),
        ("413", page(Trouble::TooLarge)),
        ("421", page(Trouble::UnknownHost { seen: t.place, expected: t.place })),
        ("429", page(Trouble::Throttled { until: NOW })),
        ("431", page(Trouble::HeadTooLarge)),
        ("500", page(Trouble::Internal)),
        ("502", page(Trouble::BadGateway { site: t.place })),
        ("503", page(Trouble::Resting)),
        ("504", page(Trouble::GatewayTimeout { site: t.place })),
        ("frame-sign-in", FrameSignIn { frame, login: t.place }.render()),
        ("form-lost", FormLost { frame, login: t.place }.render()),
        ("dead-confirm", DeadLink { frame, link: Link::Confirm }.render()),
        ("dead-address", DeadLink { frame, link: Link::Address }.render()),
        ("dead-new-email", DeadLink { frame, link: Link::NewEmail }.render()),
        ("dead-undo", DeadLink { frame, link: Link::UndoEmail }.render()),
        ("dead-reset", DeadLink { frame, link: Link::Reset }.render()),
        ("dead-invitation", DeadLink { frame, link: Link::Invitation }.render()),
        ("dead-setup", DeadLink { frame, link: Link::Setup }.render()),
        ("cookies-insecure", cookies(CookieReason::Insecure)),
        ("cookies-host", cookies(CookieReason::OtherHost { seen: t.place })),
        ("cookies-blocked", cookies(CookieReason::Blocked)),
    ]
}
