//! The rules of one site, compiled: which one a path meets on every reading, and the strictest of their answers.

use std::net::IpAddr;

use http::Method;

use super::readings::{self, Habits};
use crate::config::site::{Allow, PathPattern, Rule};

/// The rules of one site.
#[derive(Debug)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    /// Patterns as readers with other habits see them, by [`Self::by_habits`]; the first is canonical.
    tables: Vec<Vec<PathPattern>>,
    by_habits: Vec<usize>,
    /// Habits that change some pattern.
    matters: Habits,
    /// Whether some rule asks for the method.
    by_method: bool,
}

/// What somebody has to show.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Demand<'a> {
    pub(super) allow: Allow,
    /// One of each list; readings may meet several rules.
    pub(super) groups: Vec<&'a [String]>,
}

/// What rules ask of a request besides its path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) client: IpAddr,
}

impl Rules {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut tables: Vec<Vec<PathPattern>> = Vec::new();
        let mut by_habits = Vec::with_capacity(readings::SETS);
        for habits in 0..readings::SETS {
            let habits = Habits::try_from(habits).unwrap_or(Habits::MAX);
            let table: Vec<_> = rules.iter().map(|rule| seen(&rule.path, habits)).collect();
            let known = tables.iter().position(|known| *known == table);
            by_habits.push(known.unwrap_or(tables.len()));
            if known.is_none() {
                tables.push(table);
            }
        }
        let matters = matters(&by_habits);
        let by_method = rules.iter().any(|rule| !rule.methods.is_empty());
        Self { rules: rules.to_vec(), tables, by_habits, matters, by_method }
    }

    /// Whether there are any; without, paths do not count and travel as they came.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether the method decides anything.
    pub(super) fn by_method(&self) -> bool {
        self.by_method
    }

    /// The strictest answer over all readings of a canonical path.
    pub(super) fn demand(&self, path: &str, asked: Asked<'_>) -> Demand<'_> {
        let mut demand = Demand { allow: Allow::Anyone, groups: Vec::new() };
        // Most paths read in one way, and it costs no allocation to know.
        if self.matters == 0 && readings::is_plain(path) {
            self.hear(&mut demand, path, 0, asked);
            return demand;
        }
        let Some(readings) = readings::all(path, self.matters) else { return Demand::nobody() };
        for (text, habits) in &readings {
            self.hear(&mut demand, text, *habits, asked);
        }
        demand
    }

    /// Adds what one reading asks for, with the extension and without. A pattern that covers the whole path counts without
    /// it as well: what is opened by its name (`=/robots.txt`) stays open.
    fn hear<'a>(&'a self, demand: &mut Demand<'a>, path: &str, habits: Habits, asked: Asked<'_>) {
        demand.add(self.first_match(habits, asked, |pattern| covers(pattern, path)));
        for cut in readings::cuts(path) {
            demand.add(self.first_match(habits, asked, |pattern| covers(pattern, path) || covers(pattern, cut)));
        }
    }

    fn first_match(
        &self,
        habits: Habits,
        asked: Asked<'_>,
        covered: impl Fn(&PathPattern) -> bool,
    ) -> (Allow, &[String]) {
        let table = self.by_habits.get(usize::from(habits)).and_then(|table| self.tables.get(*table));
        let mut pairs = self.rules.iter().zip(table.into_iter().flatten());
        let met = pairs.find(|(rule, pattern)| covered(pattern) && applies(rule, asked));
        // First match wins; without a match: sign-in needed.
        met.map_or((Allow::SignedIn, &[]), |(rule, _)| (rule.allow, rule.groups.as_slice()))
    }
}

impl<'a> Demand<'a> {
    pub(super) fn nobody() -> Self {
        Self { allow: Allow::Nobody, groups: Vec::new() }
    }

    /// Both demands: the strictest.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.add((other.allow, &[]));
        other.groups.into_iter().for_each(|groups| self.add((other.allow, groups)));
        self
    }

    fn add(&mut self, (allow, groups): (Allow, &'a [String])) {
        self.allow = self.allow.max(allow);
        if !groups.is_empty() && !self.groups.contains(&groups) {
            self.groups.push(groups);
        }
    }
}

/// A pattern as a reader with these habits sees it. Prefixes lose their last slash: they match by whole segment anyway.
fn seen(pattern: &PathPattern, habits: Habits) -> PathPattern {
    match pattern {
        PathPattern::Exact(path) => PathPattern::Exact(readings::read(path, habits).into_owned()),
        PathPattern::Prefix(path) => PathPattern::Prefix(readings::read(path, habits).trim_end_matches('/').to_owned()),
    }
}

fn matters(by_habits: &[usize]) -> Habits {
    let bits = (0..Habits::BITS).map(|bit| 1 << bit);
    let changes = |bit: Habits| {
        let alone = |habits: &usize| habits & usize::from(bit) == 0;
        (0..by_habits.len())
            .filter(alone)
            .any(|habits| by_habits.get(habits) != by_habits.get(habits | usize::from(bit)))
    };
    // The highest bits name no habit; their sets do not exist and so differ from everything.
    bits.filter(|bit| usize::from(*bit) < by_habits.len() && changes(*bit)).fold(0, |all, bit| all | bit)
}

/// By whole segment: `/pub` does not cover `/public`.
fn covers(pattern: &PathPattern, path: &str) -> bool {
    match pattern {
        PathPattern::Exact(exact) => exact == path,
        PathPattern::Prefix(prefix) => {
            path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

fn applies(rule: &Rule, asked: Asked<'_>) -> bool {
    // HEAD asks for what GET would get.
    let method = if *asked.method == Method::HEAD { &Method::GET } else { asked.method };
    let methods = rule.methods.is_empty() || rule.methods.contains(method) || rule.methods.contains(asked.method);
    methods && (rule.networks.is_empty() || rule.networks.iter().any(|network| network.contains(&asked.client)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::decide::examples;

    fn rule(path: &str, allow: Allow) -> Rule {
        examples::rule(path, allow)
    }

    fn rules() -> Rules {
        let staff = Rule { groups: vec!["staff".into()], ..rule("/staff", Allow::SignedIn) };
        Rules::new(&[
            rule("/public/", Allow::Anyone),
            rule("/pub", Allow::Anyone),
            rule("=/exact", Allow::Anyone),
            rule("/admin", Allow::Nobody),
            rule("=/secret", Allow::Nobody),
            staff,
            rule("/vault", Allow::TwoFactor),
        ])
    }

    fn asks(rules: &Rules, path: &str) -> Allow {
        let view = examples::view("GET", "localhost", path);
        rules.demand(&view.target.path, Asked { method: &view.method, client: view.client.address }).allow
    }

    /// SCENARIOS 31.
    #[test]
    fn no_spelling_opens_what_it_should_not() {
        for (path, expected) in [
            ("/public", Allow::Anyone),
            ("/public/", Allow::Anyone),
            ("/public/a/b", Allow::Anyone),
            ("/public?x=/admin", Allow::Anyone),
            ("/publication", Allow::SignedIn),
            ("/pub/x", Allow::Anyone),
            ("/exact", Allow::Anyone),
            ("/exact/", Allow::SignedIn),
            ("/exact/x", Allow::SignedIn),
            ("/public/../admin", Allow::Nobody),
            ("/public/%2e%2e/admin", Allow::Nobody),
            ("//admin", Allow::Nobody),
            ("/./admin", Allow::Nobody),
            ("/%61dmin", Allow::Nobody),
            ("/public%2f..%2fadmin", Allow::Nobody),
            ("/public/..%2fadmin", Allow::Nobody),
            ("/public/..%252fadmin", Allow::Nobody),
            ("/public/..%5cadmin", Allow::Nobody),
            ("/public/..\\admin", Allow::Nobody),
            ("/public/..;/admin", Allow::Nobody),
            ("/public;/../admin", Allow::Nobody),
            ("/admin;x", Allow::Nobody),
            ("/admin;x/y", Allow::Nobody),
            ("/ADMIN", Allow::Nobody),
            ("/admin%00.css", Allow::Nobody),
            ("/secret/", Allow::Nobody),
            ("/Secret", Allow::Nobody),
            ("/adm%C4%B1n", Allow::Nobody),
            ("/ADM%C4%B0N/x", Allow::Nobody),
            ("/%C5%BFecret", Allow::Nobody),
            ("/PUBLIC", Allow::SignedIn),
            ("//public", Allow::SignedIn),
            ("/public;x", Allow::SignedIn),
            ("/vault;x/", Allow::TwoFactor),
            ("/public/..;/vault", Allow::Nobody),
            ("/public/x//..;/..;/vault", Allow::Nobody),
            ("/", Allow::SignedIn),
            ("/other", Allow::SignedIn),
            ("/admin.json", Allow::Nobody),
            ("/admin.tar.gz", Allow::Nobody),
            ("/ADMIN.JSON/", Allow::Nobody),
            ("/admin%2Ejson;x", Allow::Nobody),
            ("/secret.json", Allow::Nobody),
            ("/vault.", Allow::TwoFactor),
            ("/vault%20", Allow::TwoFactor),
            ("/vault%09.html", Allow::TwoFactor),
            ("/vault./x", Allow::TwoFactor),
            ("/public/file.txt", Allow::Anyone),
            ("/public/admin.json", Allow::Anyone),
            ("/public.txt", Allow::SignedIn),
            ("/exact.txt", Allow::SignedIn),
            ("/public/..%20/admin", Allow::Nobody),
        ] {
            assert_eq!(asks(&rules(), path), expected, "{path}");
        }
    }

    #[test]
    fn groups_of_every_reading_are_asked_for() {
        let group = |path, group: &str| Rule { groups: vec![group.into()], ..rule(path, Allow::SignedIn) };
        let rules = Rules::new(&[group("/a", "one"), group("/A", "two")]);
        let demand = rules.demand("/A", Asked { method: &Method::GET, client: [192, 0, 2, 1].into() });
        assert_eq!(demand.groups, [&["two".to_owned()][..], &["one".to_owned()][..]]);
    }

    #[test]
    fn patterns_with_capitals_or_encodings_still_match_themselves() {
        let rules = Rules::new(&[
            rule("/Docs", Allow::Anyone),
            rule("/caf%C3%A9", Allow::Anyone),
            rule("=/dir/", Allow::Anyone),
            rule("/Admin", Allow::Nobody),
            rule("/a+b", Allow::Nobody),
            rule("/", Allow::Anyone),
        ]);
        assert_eq!(asks(&rules, "/Docs/x"), Allow::Anyone);
        assert_eq!(asks(&rules, "/caf%c3%a9"), Allow::Anyone);
        assert_eq!(asks(&rules, "/dir/"), Allow::Anyone);
        assert_eq!(asks(&rules, "/admin"), Allow::Nobody, "the upstream may ignore case");
        assert_eq!(asks(&rules, "/a%2Bb"), Allow::Nobody, "the upstream will decode");
    }

    #[test]
    fn what_is_opened_with_its_extension_stays_open_and_opens_nothing_else() {
        let rules = Rules::new(&[
            rule("=/admin.css", Allow::Anyone),
            rule("=/robots.txt", Allow::Anyone),
            rule("/app.v2/", Allow::Anyone),
            rule("/admin", Allow::Nobody),
        ]);
        for (path, expected) in [
            ("/admin.css", Allow::Anyone),
            ("/admin.json", Allow::Nobody),
            ("/robots.txt", Allow::Anyone),
            ("/robots", Allow::SignedIn),
            ("/robots.txt.old", Allow::SignedIn),
            ("/app.v2", Allow::Anyone),
            ("/app.v2/", Allow::Anyone),
            ("/app.v2/main.js", Allow::Anyone),
            ("/app.v3/main.js", Allow::SignedIn),
        ] {
            assert_eq!(asks(&rules, path), expected, "{path}");
        }
    }

    #[test]
    fn methods_and_networks_narrow_a_rule() {
        let narrow = Rule {
            methods: vec![Method::GET],
            networks: vec!["192.0.2.0/24".parse().unwrap()],
            ..rule("/", Allow::Anyone)
        };
        let rules = Rules::new(&[narrow]);
        let ask = |method: &Method, client: [u8; 4]| rules.demand("/x", Asked { method, client: client.into() }).allow;
        assert_eq!(ask(&Method::GET, [192, 0, 2, 9]), Allow::Anyone);
        assert_eq!(ask(&Method::HEAD, [192, 0, 2, 9]), Allow::Anyone);
        assert_eq!(ask(&Method::POST, [192, 0, 2, 9]), Allow::SignedIn);
        assert_eq!(ask(&Method::GET, [192, 0, 3, 9]), Allow::SignedIn);
    }

    #[test]
    fn a_site_whose_patterns_are_plain_reads_plain_paths_once() {
        assert_eq!(rules().matters, 0);
        assert_eq!(rules().tables.len(), 1);
    }

    proptest! {
        /// However a path is spelt, what it opens is never more than the path itself opens.
        #[test]
        fn a_spelling_is_never_laxer_than_the_path_it_spells(
            start in prop::sample::select(vec!["/public", "/admin", "/staff", "/vault", "/exact", "/secret", "/other", "/"]),
            rest in "(/[a-z]{1,3}){0,2}",
            twists in prop::collection::vec((0..9_usize, any::<prop::sample::Index>()), 0..6),
        ) {
            let path = format!("{}{rest}", start.trim_end_matches('/'));
            let path = if path.is_empty() { "/".to_owned() } else { path };
            let spelt = twists.iter().fold(path.clone(), |path, (twist, at)| twisted(&path, *twist, at.index(path.len())));
            let rules = rules();
            prop_assert!(asks(&rules, &spelt) >= asks(&rules, &path), "{} as {}", path, spelt);
        }
    }

    /// The same path to some reader, spelt otherwise at (or after) `at`.
    fn twisted(path: &str, twist: usize, at: usize) -> String {
        let slash = path.get(at..).and_then(|rest| rest.find('/')).map_or(0, |found| found + at);
        let (before, after) = path.split_at(slash);
        let (left, right) = path.split_at(at);
        let mut right_chars = right.chars();
        let first = right_chars.next().unwrap_or('/');
        // The canonical path is what the upstream gets: a segment put in before a dot segment is what that one removes.
        let dots_follow = after.contains("/.") || after.contains("/%2");
        let in_encoding =
            left.ends_with('%') || left.len() > 1 && left.get(left.len() - 2..).is_some_and(|two| two.starts_with('%'));
        match twist {
            0 | 6 | 7 if dots_follow => path.to_owned(),
            0 => format!("{before}/{after}"),
            1 => format!("{before}/.{after}"),
            2 => format!("{before}/x/..{after}"),
            3 => format!("{before}/x/%2e%2E{after}"),
            4 if first.is_ascii_lowercase() && !in_encoding => {
                format!("{left}%{:02x}{}", u32::from(first), right_chars.as_str())
            }
            5 if first.is_ascii_lowercase() && !in_encoding => {
                format!("{left}{}{}", first.to_ascii_uppercase(), right_chars.as_str())
            }
            6 if before.len() > 1 => format!("{before};p=1{after}"),
            7 => format!("{before}/x/..;q{after}"),
            8 => format!("{path}/"),
            _ => path.to_owned(),
        }
    }
}
