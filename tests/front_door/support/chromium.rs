//! Debian's Chromium, driven through chromedriver.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio, time::Duration};

use thirtyfour::prelude::*;

use super::{
    eventually, free_ports, loopback,
    services::{Guarded, tied},
};

/// A browser window of its own, and the driver behind it.
pub struct Window {
    /// The session.
    pub driver: WebDriver,
    // Takes the browser along.
    _chromedriver: Guarded,
    profile: tempfile::TempDir,
}

/// Width in CSS pixels, and the name in file names.
const WIDTHS: [(u32, &str); 2] = [(360, "360"), (1280, "1280")];

impl Window {
    /// A fresh window; without `scripts`, pages run none.
    pub async fn open(scripts: bool) -> Self {
        let [port] = free_ports();
        let child = tied("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing: run `cargo xtask test`, which installs it");
        let chromedriver = Guarded(child);
        eventually("chromedriver", Duration::from_secs(20), async || {
            tokio::net::TcpStream::connect(loopback(port)).await.ok()
        })
        .await;
        let profile = tempfile::tempdir().unwrap();
        // Killed with its driver, however the test ends: the driver itself leaves it running.
        let browser = profile.path().join("browser");
        std::fs::write(&browser, "#!/bin/sh\nexec setpriv --pdeathsig KILL chromium \"$@\"\n").unwrap();
        std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(&browser.display().to_string()).unwrap();
        for argument in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            // A host that no [[site]] knows.
            "--host-resolver-rules=MAP unknown.example 127.0.0.1",
            "--force-color-profile=srgb",
        ] {
            wanted.add_arg(argument).unwrap();
        }
        wanted.add_arg(&format!("--user-data-dir={}", profile.path().display())).unwrap();
        if !scripts {
            let off = serde_json::json!({ "profile.managed_default_content_settings.javascript": 2 });
            wanted.add_experimental_option("prefs", off).unwrap();
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await.unwrap();
        // For `judged`; pages know nothing of it.
        let axe = serde_json::json!({ "source": include_str!("../axe/axe.min.js") });
        driver.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", axe).await.unwrap();
        Self { driver, _chromedriver: chromedriver, profile }
    }

    /// Opens an address.
    pub async fn open_page(&self, address: &str) {
        self.driver.goto(address).await.unwrap();
    }

    /// Fills a control of that name, replacing what stood there.
    pub async fn fill(&self, name: &str, text: &str) {
        let control =
            self.driver.find(By::Name(name)).await.unwrap_or_else(|error| panic!("no control {name}: {error}"));
        control.clear().await.unwrap();
        control.send_keys(text).await.unwrap();
    }

    /// Presses the button or link with those words.
    pub async fn press(&self, words: &str) {
        let path = format!(
            "//button[contains(normalize-space(.), \"{words}\")] | //a[contains(normalize-space(.), \"{words}\")]"
        );
        let Ok(control) = self.driver.find(By::XPath(path)).await else {
            panic!("nothing to press says {words}: {}", self.words().await);
        };
        control.click().await.unwrap();
    }

    /// Opens what hides behind those words.
    pub async fn unfold(&self, words: &str) {
        let path = format!("//summary[contains(normalize-space(.), \"{words}\")]");
        self.driver.find(By::XPath(path)).await.unwrap().click().await.unwrap();
    }

    /// What a person reads on the page.
    pub async fn words(&self) -> String {
        self.driver.find(By::Tag("body")).await.unwrap().text().await.unwrap()
    }

    /// Waits until the page says so.
    pub async fn sees(&self, words: &str) {
        let start = std::time::Instant::now();
        loop {
            let page = match self.driver.find(By::Tag("body")).await {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if page.contains(words) {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "the page does not say {words:?} but:\n{page}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Where the window is: path and query.
    pub async fn place(&self) -> String {
        let url = self.driver.current_url().await.unwrap();
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// Waits until the window is elsewhere.
    pub async fn leaves(&self, path: &str) {
        let start = std::time::Instant::now();
        while self.place().await.starts_with(path) {
            assert!(start.elapsed() < Duration::from_secs(10), "still at {path}: {}", self.words().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Pictures of the page: narrow and wide, dark and light. The page must not scroll sideways, at 320 px either.
    pub async fn pictures(&self, name: &str) {
        let folder = pictures_folder();
        let cdp = self.driver.cdp();
        for scheme in ["light", "dark"] {
            self.prefers(scheme).await;
            self.judged(&format!("{name}, {scheme}")).await;
            for (width, label) in WIDTHS {
                self.resize(width).await;
                let shot = cdp
                    .send_raw(
                        "Page.captureScreenshot",
                        serde_json::json!({ "format": "png", "captureBeyondViewport": true }),
                    )
                    .await
                    .unwrap();
                let bytes =
                    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, shot["data"].as_str().unwrap())
                        .unwrap();
                std::fs::write(folder.join(format!("{name}-{label}-{scheme}.png")), bytes).unwrap();
            }
        }
        self.resize(320).await;
        let sizes = cdp.send_raw("Page.getLayoutMetrics", serde_json::json!({})).await.unwrap();
        let wide = sizes["cssContentSize"]["width"].as_f64().unwrap();
        assert!(wide <= 320.0, "{name} is {wide} px wide on a screen of 320");
        cdp.send_raw("Emulation.clearDeviceMetricsOverride", serde_json::json!({})).await.unwrap();
    }

    /// Dark or light, as the reader prefers.
    pub async fn prefers(&self, scheme: &str) {
        let media = serde_json::json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.driver.cdp().send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
    }

    /// Holds the page against every rule of axe-core, best practices too. The window needs scripts.
    pub async fn judged(&self, name: &str) {
        // What fades from one colour to another is judged by where it leads.
        const RUN: &str = "const done = arguments[0];
            document.getAnimations().filter((one) => one instanceof CSSTransition).forEach((one) => one.finish());
            axe.run({ resultTypes: ['violations'] }).then(
                (all) => done(all.violations.map((one) => `${one.id}: ${one.help}: ` + one.nodes.map(
                    (node) => node.html + ' ' + node.failureSummary).join('; '))),
                (error) => done([String(error)]));";
        let found = self.driver.execute_async(RUN, Vec::new()).await.unwrap();
        let found = found.json().as_array().expect("a list of violations").clone();
        assert!(found.is_empty(), "{name} is hard to use for some: {found:#?}");
    }

    /// Plugs in a virtual authenticator: a device that keeps passkeys and verifies its user. Its name.
    pub async fn authenticator(&self) -> String {
        let cdp = self.driver.cdp();
        cdp.send_raw("WebAuthn.enable", serde_json::json!({})).await.unwrap();
        let options = serde_json::json!({ "options": {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserVerified": true,
            "automaticPresenceSimulation": true,
        } });
        let added = cdp.send_raw("WebAuthn.addVirtualAuthenticator", options).await.unwrap();
        added["authenticatorId"].as_str().unwrap().to_owned()
    }

    /// Whether the authenticator's user touches it whenever it is asked.
    pub async fn answers_by_itself(&self, authenticator: &str, enabled: bool) {
        let wish = serde_json::json!({ "authenticatorId": authenticator, "enabled": enabled });
        self.driver.cdp().send_raw("WebAuthn.setAutomaticPresenceSimulation", wish).await.unwrap();
    }

    async fn resize(&self, width: u32) {
        let size = serde_json::json!({ "width": width, "height": 780, "deviceScaleFactor": 1, "mobile": false });
        self.driver.cdp().send_raw("Emulation.setDeviceMetricsOverride", size).await.unwrap();
    }

    /// The processes of this window's browser: their own folder stands in their command lines.
    pub fn processes(&self) -> impl Fn() -> usize + use<> {
        let own = self.profile.path().display().to_string().into_bytes();
        move || {
            let lines = std::fs::read_dir("/proc").unwrap().flatten();
            let lines = lines.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
            lines.filter(|line| line.windows(own.len()).any(|part| part == own)).count()
        }
    }

    /// Ends the session.
    pub async fn close(self) {
        self.driver.clone().quit().await.unwrap();
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // After a panic, the session's own farewell would block this thread for two minutes.
        let _ = self.driver.clone().leak();
    }
}

/// `target/pictures`
pub fn pictures_folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
