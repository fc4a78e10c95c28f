//! Every page, in both colour schemes, against the rules of axe-core.

use templates::{
    assets,
    page::{Country, Demo},
};

use crate::support::chromium::Window;

#[path = "../../templates/tests/pages/every.rs"]
mod every;

#[tokio::test]
async fn no_page_breaks_a_rule_of_accessibility() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    for asset in assets() {
        std::fs::write(folder.path().join("assets").join(asset.file_name()), asset.body).unwrap();
    }
    let countries = [
        Country { code: "DE", name: "Germany", dial: 49, example: "01512 3456789" },
        Country { code: "KE", name: "Kenya", dial: 254, example: "0712 123456" },
    ];
    let fields = [("Host", "localhost:8080"), ("Remote-User", "ada")];
    let demo = Demo { portal: "/.auth", method: "GET", target: "/", fields: &fields, identity: &["Remote-User"] };
    let mut pages = every::pages(every::Texts::FRIENDLY, &countries);
    pages.push(("demo", demo.render()));
    let window = Window::open(true).await;
    for (name, page) in pages {
        let file = folder.path().join(format!("{name}.html"));
        std::fs::write(&file, page.into_string().replace("/.auth/assets", "assets")).unwrap();
        for scheme in ["light", "dark"] {
            window.prefers(scheme).await;
            window.open_page(&format!("file://{}", file.display())).await;
            window.judged(&format!("{name}, {scheme}")).await;
        }
    }
    window.close().await;
}
