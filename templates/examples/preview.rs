//! Writes every page to a folder, for looking at them: `cargo run -p templates --example preview -- FOLDER`.

#[path = "../tests/pages/every.rs"]
mod every;

use std::{error::Error, fs, path::PathBuf};

use every::{NOW, Texts, pages};
use templates::{
    Channel, Factor, assets, mail,
    page::{Country, Demo},
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("which folder?")?);
    fs::create_dir_all(folder.join("assets"))?;
    for asset in assets() {
        fs::write(folder.join("assets").join(asset.file_name()), asset.body)?;
    }
    let countries = [
        Country { code: "DE", name: "Germany", dial: 49, example: "01512 3456789" },
        Country { code: "KE", name: "Kenya", dial: 254, example: "0712 123456" },
        Country { code: "GB", name: "United Kingdom", dial: 44, example: "07400 123456" },
    ];
    for (name, page) in pages(Texts::FRIENDLY, &countries) {
        let html = page.into_string().replace("/.auth/assets", "assets");
        fs::write(folder.join(format!("{name}.html")), html)?;
    }
    let fields = [
        ("Host", "localhost:8080"),
        ("Accept", "text/html,application/xhtml+xml"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Remote-User", "ada"),
        ("Remote-Name", "Ada Lovelace"),
        ("Remote-Email", "ada@example.org"),
        ("Remote-Groups", "admin,staff"),
        ("Remote-Id", "0197a0c4-5d1e-7cc3-98a4-1f5f0f7c0a11"),
    ];
    let identity = ["Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "Remote-Id"];
    let demo = Demo { portal: "/.auth", method: "GET", target: "/Notes?page=2", fields: &fields, identity: &identity };
    fs::write(folder.join("demo.html"), demo.render().into_string())?;
    let link = "https://login.example/.auth/password/reset?token=c2VjcmV0LXRva2VuLWlu";
    let lives = std::time::Duration::from_secs(600);
    let (site_name, first_name, masked) = ("Vestibule", "Ada", "•••• 42");
    let reset = mail::ResetLink { site_name, first_name, username: "ada", why: mail::Why::Asked, link, lives }.body();
    fs::write(folder.join("mail-reset.html"), reset.html)?;
    fs::write(folder.join("mail-reset.txt"), reset.text)?;
    let on = mail::FactorOn {
        site_name,
        first_name,
        factor: Factor::Code { channel: Channel::Sms, masked },
        at: NOW,
        forgot: link,
    }
    .body();
    fs::write(folder.join("mail-factor-on.html"), on.html)?;
    Ok(())
}
