//! Spans of time, sizes, hosts and addresses as an operator writes them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;

use super::limits::ByteLimit;

/// `"500ms"`, `"10s"`, `"1h30m"`, `"30d"`: longer than nothing, at most ten years.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no span of time: write it like \"500ms\", \"10s\", \"5m\", \"1h\" or \"30d\"");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        total = total.saturating_add(Duration::from_millis(number.saturating_mul(millis)));
        rest = tail.trim_start();
    }
    match total {
        Duration::ZERO => Err(format!("`{text}` is no time at all: {}", wrong())),
        total if total > MAX_SPAN => Err(format!("`{text}` is longer than ten years")),
        total => Ok(total),
    }
}

/// `"10m"`; `"off"` is none.
pub(super) fn duration_or_off(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" { Ok(None) } else { duration(text).map(Some) }
}

/// `"32KiB"`, `"10MB"`, `"512"` (bytes).
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: write it like \"512\", \"32KiB\" or \"10MB\"");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "kb" | "k" => 1000,
        "mb" | "m" => 1_000_000,
        "gb" | "g" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

/// A size, or `"unlimited"`.
pub(super) fn byte_limit(text: &str) -> Result<ByteLimit, String> {
    match text.trim() {
        "unlimited" => Ok(ByteLimit::Unlimited),
        size => bytes(size).map(ByteLimit::AtMost).map_err(|message| format!("{message}, or \"unlimited\"")),
    }
}

/// A size between `least` and `most` bytes, in memory at once.
pub(super) fn bytes_within(text: &str, least: u64, most: u64) -> Result<usize, String> {
    let size = bytes(text)?;
    let out = || format!("`{text}` is out of bounds: between {least} and {most} bytes");
    if (least..=most).contains(&size) { usize::try_from(size).map_err(|_| out()) } else { Err(out()) }
}

/// `"127.0.0.1:8080"`, `"[::1]:8080"`, `"localhost:8080"`; `"off"` is none.
pub(super) fn address(text: &str) -> Result<Option<SocketAddr>, String> {
    let text = text.trim();
    if text == "off" {
        return Ok(None);
    }
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
        return Ok(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    }
    text.parse().map(Some).map_err(|_| match text.trim_start_matches(':').parse::<u16>() {
        Ok(port) => format!(
            "`{text}` names no address: write \"127.0.0.1:{port}\" for this machine only, \"0.0.0.0:{port}\" for everyone"
        ),
        Err(_) => format!("`{text}` is no address with a port: write it like \"127.0.0.1:8080\" (a name cannot be listened on)"),
    })
}

/// `"10.0.0.0/8"`, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let parsed = text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    parsed
        .map(|net| net.trunc())
        .ok_or_else(|| format!("`{text}` is no network: write it like \"10.0.0.0/8\" or \"192.168.1.7\""))
}

/// A host, canonical: lower case, IDNA, no trailing dot, IPv6 in brackets; no port.
pub(super) fn host(text: &str) -> Result<String, String> {
    let bare = text.trim().trim_end_matches('.');
    if bare.contains("://") || bare.contains('/') {
        return Err(format!("`{text}` is more than a host: write only the name, like \"wiki.example.com\""));
    }
    if !bare.starts_with('[') && bare.contains(':') {
        return match bare.parse::<std::net::Ipv6Addr>() {
            Ok(address) => Ok(format!("[{address}]")),
            Err(_) => Err(format!("`{text}` has a port: ports take no part in choosing a site, leave it out")),
        };
    }
    url::Host::parse(bare).map(|host| host.to_string()).map_err(|error| format!("`{text}` is no host name: {error}"))
}

/// A name of a group: not empty, at most 64 characters, no comma (they travel comma separated), nothing invisible.
pub(super) fn group(text: &str) -> Result<String, String> {
    let good = !text.is_empty()
        && text.chars().count() <= 64
        && text.trim() == text
        && !text.chars().any(|c| c == ',' || c.is_control());
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` cannot be a group: 1 to 64 characters, without commas"))
    }
}

const MAX_SPAN: Duration = Duration::from_secs(10 * 366 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_read_with_their_units() {
        for (text, millis) in
            [("500ms", 500), ("10s", 10_000), ("1h", 3_600_000), ("1h30m", 5_400_000), ("30d", 2_592_000_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "h", "1w", "-1s", "0s", "1.5h", "999999999d", "1h-"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, size) in [("512", 512), ("32KiB", 32_768), ("10MB", 10_000_000), ("1 GiB", 1 << 30)] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        assert_eq!(byte_limit("unlimited"), Ok(ByteLimit::Unlimited));
        for text in ["", "KiB", "1TBit", "-3", "99999999999999999999", "99999999999GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_become_canonical_and_ports_are_refused() {
        for (text, canonical) in [
            ("Wiki.EXAMPLE.com.", "wiki.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(canonical), "{text}");
        }
        for text in ["wiki.example.com:443", "https://wiki.example.com", "a b", ""] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_without_a_host_says_what_to_write() {
        assert!(address(":8080").is_err_and(|message| message.contains("127.0.0.1:8080")));
        assert!(address("8080").is_err_and(|message| message.contains("0.0.0.0:8080")));
        assert_eq!(address("off"), Ok(None));
        assert_eq!(address("localhost:80"), Ok(Some(([127, 0, 0, 1], 80).into())));
    }
}
