//! Whom a file belongs to: `"user"`, `"user:group"` or `"1000:1000"`.
//!
//! Names are looked up in `/etc/passwd` and `/etc/group`. Deliberately absent: directory services; write numbers for
//! users who are known there alone.

use std::path::Path;

/// A user and a group by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The user.
    pub(crate) user: u32,
    /// The group; `None` leaves it.
    pub(crate) group: Option<u32>,
}

impl Owner {
    /// Reads an owner.
    ///
    /// # Errors
    /// Says which of the names is not known.
    pub(crate) fn parse(text: &str) -> Result<Owner, String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let group = group.map(|group| number(group, "group", Path::new("/etc/group"))).transpose()?;
        Ok(Owner { user: number(user, "user", Path::new("/etc/passwd"))?, group })
    }
}

fn number(name: &str, what: &str, list: &Path) -> Result<u32, String> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let text = std::fs::read_to_string(list).unwrap_or_default();
    text.lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
        })
        .ok_or_else(|| format!("there is no {what} {name:?} in {}", list.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_known() {
        assert_eq!(Owner::parse("root:root"), Ok(Owner { user: 0, group: Some(0) }));
        assert_eq!(Owner::parse("1000"), Ok(Owner { user: 1000, group: None }));
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        assert!(Owner::parse("nobody-here").unwrap_err().contains("no user \"nobody-here\""));
    }
}
