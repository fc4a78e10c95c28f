//! The stylesheet, the script and the icon, named by their content so that browsers may keep them for a year.

use std::sync::OnceLock;

/// One file served at `<portal path>/assets/<name>.<hash>.<ext>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// `style`, `script`, `icon`
    pub name: &'static str,
    /// 16 hex digits that change with the content.
    pub hash: String,
    /// `css`, `js`, `svg`
    pub ext: &'static str,
    /// For the field `Content-Type`.
    pub content_type: &'static str,
    /// The file.
    pub body: &'static [u8],
}

impl Asset {
    /// `<name>.<hash>.<ext>`, the last segment of its path.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.{}.{}", self.name, self.hash, self.ext)
    }
}

/// Every asset: stylesheet, script, icon, in this order.
pub fn assets() -> &'static [Asset] {
    static ASSETS: OnceLock<[Asset; 3]> = OnceLock::new();
    ASSETS.get_or_init(|| {
        [
            asset("style", "css", "text/css; charset=utf-8", include_bytes!("../assets/style.css")),
            asset("script", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/script.js")),
            asset("icon", "svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
        ]
    })
}

/// The asset with that last path segment (`style.0123456789abcdef.css`).
#[must_use]
pub fn find(file_name: &str) -> Option<&'static Asset> {
    assets().iter().find(|asset| asset.file_name() == file_name)
}

fn asset(name: &'static str, ext: &'static str, content_type: &'static str, body: &'static [u8]) -> Asset {
    Asset { name, hash: format!("{:016x}", fnv1a(body)), ext, content_type, body }
}

/// FNV-1a, 64 bits: a name that follows the content, not a defence.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
