//! Changes to one person, each with its own sentence.

use super::{Groups, find, tell_generated, with};
use crate::{
    command::{
        exit::{DATA, Failure, say},
        password,
    },
    config::Config,
    identity::Refusal,
    world::{Clock, Entropy},
};

pub(super) fn disable(name: &str, config: &Config) -> Result<(), Failure> {
    with(config, async |identity| {
        let account = find(&identity, name).await?;
        if account.waiting_since.is_some() {
            say(&format!(
                "{} waits for approval and cannot sign in. `vestibule user delete {}` declines.",
                account.name(),
                account.username
            ));
            return Ok(());
        }
        if account.disabled {
            say(&format!("{} is disabled already.", account.name()));
            return Ok(());
        }
        identity.disable(&account.id, Clock::System.now()).await.map_err(gone)?;
        say(&format!(
            "{} is disabled; their sessions end and their access tokens rest within a second.",
            account.name()
        ));
        Ok(())
    })
}

pub(super) fn enable(name: &str, config: &Config) -> Result<(), Failure> {
    with(config, async |identity| {
        let account = find(&identity, name).await?;
        identity.enable(&account.id, Clock::System.now()).await.map_err(gone)?;
        say(&if account.waiting_since.is_some() {
            format!("{} is approved and can sign in; a mail tells them.", account.name())
        } else {
            format!("{} can sign in.", account.name())
        });
        Ok(())
    })
}

pub(super) fn delete(name: &str, yes: bool, config: &Config) -> Result<(), Failure> {
    with(config, async |identity| {
        let account = find(&identity, name).await?;
        if !yes && password::at_a_terminal() {
            // Also who waits for approval: the name is gone for good all the same.
            let question = format!("Delete {} for good? Type the username {}: ", account.name(), account.username);
            if password::ask_openly(&question)? != account.username {
                return Err(Failure::new(DATA, "Nothing was deleted."));
            }
        }
        identity.delete(&account.id, Clock::System.now()).await.map_err(gone)?;
        say(&if account.waiting_since.is_some() {
            format!("{} is declined and deleted; a mail tells them.", account.name())
        } else {
            format!("{} is deleted; their sessions and access tokens end within a second.", account.name())
        });
        Ok(())
    })
}

pub(super) fn set_password(name: &str, stdin: bool, config: &Config) -> Result<(), Failure> {
    with(config, async |identity| {
        let account = find(&identity, name).await?;
        let chosen = password::choose(stdin, &Entropy::System)?;
        identity.set_password(&account.id, &chosen.password, Clock::System.now()).await.map_err(gone)?;
        say(&format!("{} has a new password; their sessions and access tokens end within a second.", account.name()));
        tell_generated(&chosen);
        Ok(())
    })
}

pub(super) fn reset_factors(name: &str, config: &Config) -> Result<(), Failure> {
    with(config, async |identity| {
        let account = find(&identity, name).await?;
        // Also of somebody without a factor: whoever asks for this means to take back what somebody else may have.
        identity.reset_factors(&account.id, Clock::System.now()).await.map_err(gone)?;
        say(&format!(
            "{} {}; their sessions and access tokens end within a second.",
            account.name(),
            if account.factors.is_empty() { "had no second factor" } else { "signs in with the password alone now" }
        ));
        Ok(())
    })
}

pub(super) fn groups(wanted: Groups, config: &Config) -> Result<(), Failure> {
    with(config, async |identity| {
        let account = find(&identity, &wanted.name).await?;
        let groups = wanted.of(&account.groups);
        if let Some(groups) = &groups {
            identity.set_groups(&account.id, groups, Clock::System.now()).await.map_err(gone)?;
        }
        let groups = groups.unwrap_or(account.groups.clone());
        say(&match groups.as_slice() {
            [] => format!("{} is in no group.", account.name()),
            groups => format!("{} is in {}.", account.name(), groups.join(", ")),
        });
        Ok(())
    })
}

impl Groups {
    /// The groups from now on; `None` when nothing was asked to change.
    fn of(&self, before: &[String]) -> Option<Vec<String>> {
        if self.none {
            return Some(Vec::new());
        }
        let listed = |names: &[String]| -> Vec<String> {
            let parts = names.iter().flat_map(|names| names.split(','));
            parts.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let (exactly, add, remove) = (listed(&self.exactly), listed(&self.add), listed(&self.remove));
        let mut groups = match (exactly.is_empty(), add.is_empty() && remove.is_empty()) {
            (false, _) => exactly,
            (true, true) => return None,
            (true, false) => before.iter().cloned().chain(add).filter(|group| !remove.contains(group)).collect(),
        };
        groups.sort_unstable();
        groups.dedup();
        Some(groups)
    }
}

/// Somebody else deleted the account between looking and changing.
fn gone(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Stale => Failure::new(super::NO_USER, "That person was deleted meanwhile."),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_replaced_added_removed_or_only_shown() {
        let wanted = |exactly: &[&str], add: &[&str], remove: &[&str], none| {
            let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let groups = Groups { name: "ada".into(), exactly: own(exactly), add: own(add), remove: own(remove), none };
            groups.of(&["staff".into(), "wiki".into()]).map(|groups| groups.join(" "))
        };
        assert_eq!(wanted(&[], &[], &[], false), None);
        assert_eq!(wanted(&[], &[], &[], true).as_deref(), Some(""));
        assert_eq!(wanted(&["b,a", "a"], &[], &[], false).as_deref(), Some("a b"));
        assert_eq!(wanted(&[], &["admin"], &["wiki"], false).as_deref(), Some("admin staff"));
    }
}
