//! The requirements of a task: the list items `- **R1** …` under `## Requirements` of its README.

/// One requirement, in the README's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// `R1`
    pub(crate) id: String,
    /// Its sentence, on one line.
    pub(crate) sentence: String,
}

impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.id, self.sentence)
    }
}

/// Reads the requirements of a README, in the order of the README. A requirement is a list item
/// that begins with the id in bold, with its indented lines.
pub(crate) fn read(readme: &str) -> Vec<Requirement> {
    let section = readme.lines().skip_while(|line| line.trim() != "## Requirements").skip(1);
    let section = section.take_while(|line| !line.starts_with("# ") && !line.starts_with("## "));
    let mut found: Vec<Requirement> = Vec::new();
    let mut open = false;
    for line in section {
        if let Some((id, sentence)) = item(line) {
            found.push(Requirement { id: id.to_owned(), sentence: sentence.to_owned() });
            open = true;
        } else if let Some(last) = found.last_mut().filter(|_| open && line.starts_with("  ")) {
            last.sentence.push(' ');
            last.sentence.push_str(line.trim());
        } else {
            open = false;
        }
    }
    found
}

/// `- **R1** …`: the id and the sentence.
fn item(line: &str) -> Option<(&str, &str)> {
    let (id, sentence) = line.strip_prefix("- **")?.split_once("** ")?;
    let number = id.strip_prefix('R')?;
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    (is_number && !sentence.trim().is_empty()).then(|| (id, sentence.trim()))
}

#[cfg(test)]
mod tests {
    use super::read;

    fn read_lines(section: &str) -> Vec<String> {
        read(&format!(
            "# T\n\nR9 not here\n\n## Requirements\n\n{section}\n\n## Do\n\nR8 not here\n"
        ))
        .iter()
        .map(ToString::to_string)
        .collect()
    }

    #[test]
    fn each_list_item_with_an_id_in_bold_is_one() {
        assert_eq!(
            read_lines(
                "- **R1** One, as R3 says.\n- **R2** Two\n  lines.\n\nProse.\n\n- **R10** Ten."
            ),
            ["R1 One, as R3 says.", "R2 Two lines.", "R10 Ten."]
        );
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        let section = "R1 no\n- R2 no\n- **Rx** no\n- **R** no\n- **R3**\n- **bold** no\n  no";

        assert_eq!(read_lines(section), Vec::<String>::new());
    }
}
