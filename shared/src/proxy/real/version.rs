//! The version of a Toxiproxy.

use super::api::{Api, Refused};

/// What a Toxiproxy says of its version: as JSON from version 2.5 on, as a word before.
pub(super) async fn version(api: &Api) -> Result<String, String> {
    let no_toxiproxy = |said: &str| {
        let said: String = said.chars().filter(|c| !c.is_control()).take(40).collect();
        format!("it answers, but not as Toxiproxy does: `{said}`")
    };
    match api.version().await {
        Ok(said) => {
            // What 2.5 and 2.6 say is not quite JSON.
            let word = match said.split_once("\"version\"") {
                Some((_, rest)) => rest.split('"').nth(1).unwrap_or_default(),
                None => said.trim(),
            }
            .to_owned();
            let is_word = |c: char| c.is_ascii_alphanumeric() || ".-+".contains(c);
            match !word.is_empty() && word.len() < 40 && word.chars().all(is_word) {
                true => Ok(word),
                false => Err(no_toxiproxy(&said)),
            }
        }
        Err(Refused::Said(_, words)) => Err(no_toxiproxy(&words)),
        Err(Refused::Silent(why)) => Err(why),
    }
}

/// The first two numbers of a version.
pub(super) fn number(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert_eq!(number("2.12.0"), Some((2, 12)));
        assert_eq!(number("v3.0.0-rc1"), Some((3, 0)));
        assert_eq!(number("git"), None);
    }
}
