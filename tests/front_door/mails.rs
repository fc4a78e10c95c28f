//! How mails leave: STARTTLS, implicit TLS, and the password, which travels under TLS only.

use std::time::Duration;

use crate::support::{
    PROMPTLY,
    client::Browser,
    eventually, free_ports,
    mailbox::Mailbox,
    people::PASSWORD,
    program::{Program, Setup},
    services,
    strict_mail::{Protection, StrictMail},
};

/// A mail server that trusts nobody, and the program before it, which has just been asked for a reset link.
async fn asked(protection: Protection, scheme: &str) -> (StrictMail, Program, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["localhost"]);
    let server = StrictMail::start(protection, &cert, &key).await;
    let mut setup = Setup::demo();
    setup.mail = format!(
        "transport = \"{scheme}://post:pass%40word@localhost:{}\"\nfrom = \"no-reply@example.com\"\n",
        server.port
    );
    setup.environment.push(("SSL_CERT_FILE".into(), cert.display().to_string()));
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let form = "/.auth/password/forgot";
    Browser::new(&program).submit(form, form, &[("email", "ada@example.com")]).await.expect(303);
    (server, program, folder)
}

async fn arrives(server: &StrictMail) {
    let taken = eventually("the mail", Duration::from_secs(15), async || server.taken().first().cloned()).await;
    assert_eq!(taken.credentials, "\0post\0pass@word");
    assert!(taken.text.contains("Choose a new password"), "{}", taken.text);
    assert!(server.told_in_the_open().is_empty(), "{:?}", server.told_in_the_open());
}

// The command blocks its thread, and the server has to answer meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_leave_by_starttls_with_the_password_under_it() {
    let (server, program, _folder) = asked(Protection::StartTls, "smtp").await;
    arrives(&server).await;
    let checked = program.command(&["check"], "");
    assert!(String::from_utf8_lossy(&checked.stdout).contains("ok      mail.transport"), "{checked:?}");
}

#[tokio::test]
async fn mails_leave_by_implicit_tls() {
    let (server, _program, _folder) = asked(Protection::Implicit, "smtps").await;
    arrives(&server).await;
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let (server, program, _folder) = asked(Protection::None, "smtp").await;
    program.printed("the failed try", |line| line.contains("a mail did not leave").then_some(())).await;
    assert!(server.taken().is_empty());
    let open = server.told_in_the_open();
    assert!(!open.is_empty() && open.iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{open:?}");
}

#[tokio::test]
async fn a_registration_while_the_mail_server_is_down_is_mailed_after_a_restart() {
    let [port] = free_ports();
    let mut setup = Setup::demo();
    setup.mail = format!("transport = \"smtp://localhost:{port}\"\nfrom = \"no-reply@example.com\"\n");
    let mut program = setup.start().await;
    program.ready().await;
    let reply = Browser::new(&program).register("ada", PASSWORD).await.expect(303);
    assert_eq!(reply.location(), "/.auth/register/sent");
    let kept = || std::fs::read_dir(program.data.join("mail")).map(Iterator::count).unwrap_or_default();
    eventually("the mail to be kept", PROMPTLY, async || (kept() == 1).then_some(())).await;
    assert_eq!(program.terminate().await, Some(0));
    let mailbox = Mailbox::start_on(port).await;
    program.resume().await;
    program.ready().await;
    let link = mailbox.wait_for("ada@example.com", "Confirm").await.link();
    let link = link.split_once("/.auth").map(|(_, path)| format!("/.auth{path}")).unwrap();
    let mut browser = Browser::new(&program);
    browser.get(&link).await.expect(200);
    let token = link.split_once("token=").unwrap().1;
    browser.submit(&link, "/.auth/register/confirm", &[("token", token)]).await.expect(303);
    browser.signed_in("ada", PASSWORD).await;
    eventually("the mail to be forgotten", PROMPTLY, async || {
        (std::fs::read_dir(program.data.join("mail")).unwrap().count() == 0).then_some(())
    })
    .await;
}
