//! One page of a listing.

use std::collections::BTreeMap;

/// What a client asks for.
pub(super) struct Asked<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: Option<&'a str>,
    /// Only what comes behind it is listed: a key, or a common prefix with all its keys.
    pub(super) after: Option<&'a str>,
    pub(super) most: usize,
}

/// Keys and common prefixes, in their order.
pub(super) struct Page<'a, T> {
    pub(super) keys: Vec<(&'a str, &'a T)>,
    pub(super) prefixes: Vec<&'a str>,
    /// The last one of the page, if there are more.
    pub(super) next: Option<&'a str>,
}

/// The page that a client asks for. A common prefix counts as one key does.
pub(super) fn page<'a, T>(of: &'a BTreeMap<String, T>, asked: &Asked<'_>) -> Page<'a, T> {
    let mut page = Page { keys: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last: Option<&str> = None;
    for (key, value) in of {
        let Some(rest) = key.strip_prefix(asked.prefix) else { continue };
        let delimiter = asked.delimiter.filter(|delimiter| !delimiter.is_empty());
        let common = delimiter
            .and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()))
            .map(|end| &key[..asked.prefix.len() + end]);
        let entry = common.unwrap_or(key);
        if asked.after.is_some_and(|after| entry <= after) || common.is_some() && last == common {
            continue;
        }
        if page.keys.len() + page.prefixes.len() >= asked.most {
            page.next = last;
            break;
        }
        last = Some(entry);
        match common {
            Some(common) => page.prefixes.push(common),
            None => page.keys.push((key, value)),
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{Asked, page};

    /// All pages, each as its keys and prefixes.
    fn pages(prefix: &str, delimiter: Option<&str>, most: usize) -> Vec<String> {
        let keys = ["a", "a/1", "a/2", "a/b/3", "b", "c/4"].map(|key| (key.to_owned(), ()));
        let (of, mut after, mut pages) = (keys.into(), None, Vec::new());
        loop {
            let asked = Asked { prefix, delimiter, after: after.as_deref(), most };
            let page = page(&of, &asked);
            let mut entries: Vec<&str> = page.keys.iter().map(|(key, ())| *key).collect();
            entries.extend(&page.prefixes);
            pages.push(entries.join(" "));
            let Some(next) = page.next else { return pages };
            after = Some(next.to_owned());
        }
    }

    #[test]
    fn a_listing_has_each_key_once_in_pages_of_any_size() {
        assert_eq!(pages("", None, 1000), ["a a/1 a/2 a/b/3 b c/4"]);
        assert_eq!(pages("", None, 4), ["a a/1 a/2 a/b/3", "b c/4"]);
        assert_eq!(pages("", None, 3), ["a a/1 a/2", "a/b/3 b c/4"]);
        assert_eq!(pages("a/", None, 2), ["a/1 a/2", "a/b/3"]);
        assert_eq!(pages("z", None, 2), [""]);
        assert_eq!(pages("", None, 0), [""]);
    }

    #[test]
    fn a_common_prefix_is_listed_once_and_counts_as_one() {
        assert_eq!(pages("", Some("/"), 1000), ["a b a/ c/"]);
        assert_eq!(pages("", Some("/"), 1), ["a", "a/", "b", "c/"]);
        assert_eq!(pages("a/", Some("/"), 2), ["a/1 a/2", "a/b/"]);
        assert_eq!(pages("", Some(""), 6), ["a a/1 a/2 a/b/3 b c/4"]);
    }
}
