//! The requirements of a task: the lines `R1 …` under `## Requirements` of its README.

/// One requirement, as the README says it.
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

/// Reads the requirements of a README, in its order. Each begins a line, a list item or, after two spaces, a part of a line, and ends at an
/// empty line or the next one.
pub(crate) fn read(readme: &str) -> Vec<Requirement> {
    let section = readme.lines().skip_while(|line| line.trim() != "## Requirements").skip(1);
    let section = section.take_while(|line| !line.starts_with("# ") && !line.starts_with("## "));
    let mut found: Vec<Requirement> = Vec::new();
    let mut open = false;
    for part in section.flat_map(parts) {
        if let Some((id, sentence)) = beginning(part) {
            found.push(Requirement { id: id.to_owned(), sentence: sentence.replace("**", "") });
            open = true;
        } else if part.is_empty() {
            open = false;
        } else if let Some(last) = found.last_mut().filter(|_| open) {
            last.sentence.push(' ');
            last.sentence.push_str(part);
        }
    }
    found
}

/// The parts of a line: `R1 One.   R2 Two.` has two.
fn parts(line: &str) -> Vec<&str> {
    let line = line.trim();
    let mut cuts = vec![0];
    cuts.extend(
        line.match_indices("  ")
            .map(|(at, gap)| at + gap.len())
            .filter(|at| beginning(&line[*at..]).is_some()),
    );
    cuts.push(line.len());
    cuts.windows(2).map(|cut| line[cut[0]..cut[1]].trim()).collect()
}

/// `R1 …`, `**R1** …`, `- R1: …`, `1. **R1.** …`: the id and what follows.
fn beginning(text: &str) -> Option<(&str, &str)> {
    let is_mark = |c: char| matches!(c, '-' | '*' | '+' | '`' | '_' | '|' | ' ');
    let mut text = text.trim_start_matches(is_mark);
    if let Some((number, rest)) = text.split_once(". ")
        && number.chars().all(|c| c.is_ascii_digit())
    {
        text = rest.trim_start_matches(is_mark);
    }
    let digits = text.strip_prefix('R')?.chars().take_while(char::is_ascii_digit).count();
    let (id, rest) = text.split_at(1 + digits);
    // What closes the marks before the id, and what parts it from its sentence; a mark that opens the sentence is the sentence's.
    let parted = rest
        .trim_start_matches(['*', '`', '.', ':', ')'])
        .trim_start_matches([' ', '|', '*', '–', '—']);
    let sentence = parted.trim_end_matches([' ', '|']);
    (digits > 0 && parted.len() < rest.len() && !sentence.is_empty()).then_some((id, sentence))
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
    fn each_line_or_paragraph_or_list_item_is_one() {
        assert_eq!(
            read_lines("R1 One.\nR2 Two\nlines.\n\nProse.\n\n**R3** Three."),
            ["R1 One.", "R2 Two lines.", "R3 Three."]
        );
        assert_eq!(
            read_lines("- **R1** One.\n- `R2`: Two.\n  More.\n1. **R3.** Three."),
            ["R1 One.", "R2 Two. More.", "R3 Three."]
        );
        assert_eq!(read_lines("| R1 | One. |\n| R2 | Two. |"), ["R1 One.", "R2 Two."]);
    }

    #[test]
    fn several_stand_on_one_line_when_two_spaces_part_them() {
        assert_eq!(
            read_lines("R1 One, as R3 says.   R2 Two.   R10 Ten."),
            ["R1 One, as R3 says.", "R2 Two.", "R10 Ten."]
        );
    }

    #[test]
    fn a_word_that_only_begins_like_one_is_none() {
        assert_eq!(read_lines("R1x no\n\nRust no\n\nR no\n\nR2"), Vec::<String>::new());
    }
}
