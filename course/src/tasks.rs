//! The tasks of the workspace: the folders `crates/taskNN-noun`, in order.

use std::path::{Path, PathBuf};

use testenv::Error;

use crate::requirements::{self, Requirement};
use crate::say;

/// The workspace that `cargo course` works in.
pub(crate) struct Course {
    /// The folder with `Cargo.toml`, `crates/` and `course/`.
    pub(crate) root: PathBuf,
    /// Sorted by their numbers.
    pub(crate) tasks: Vec<Task>,
}

/// One task crate.
pub(crate) struct Task {
    /// Folder and package: `task07-kafka`.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) dir: PathBuf,
    number: u32,
    noun: String,
}

impl Course {
    /// Finds the workspace around the current directory, otherwise the one in which this program
    /// was built.
    pub(crate) fn open() -> Result<Course, Error> {
        let here = std::env::current_dir().ok();
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let root = here
            .iter()
            .flat_map(|here| here.ancestors())
            .chain(built_in)
            .find(|dir| {
                dir.join("Cargo.toml").is_file()
                    && dir.join("crates").is_dir()
                    && dir.join("course").is_dir()
            })
            .ok_or_else(|| {
                Error::new("this is not the course's workspace")
                    .fix("cd into its folder, the one with crates/ and course/")
            })?;
        Ok(Course { root: root.to_owned(), tasks: tasks_in(&root.join("crates"))? })
    }

    /// The task that a word names. The word is the task's name, its number, `task07`, its noun or
    /// its folder.
    pub(crate) fn find(&self, word: &str) -> Result<&Task, Error> {
        let wanted = word.trim_end_matches('/').rsplit('/').next().unwrap_or(word).to_lowercase();
        let number = wanted.strip_prefix("task").unwrap_or(&wanted).parse::<u32>().ok();
        let meant = |task: &&Task| {
            task.name == wanted || task.noun == wanted || Some(task.number) == number
        };
        self.tasks.iter().find(meant).ok_or_else(|| {
            let error = Error::new(format!("there is no task `{word}`"));
            match self.nearest(&wanted) {
                Some(task) => error
                    .cause(format!("the nearest is {}", task.name))
                    .fix(format!("cargo course list, or say {}", task.name)),
                None => error.fix("cargo course list"),
            }
        })
    }

    /// The task in whose folder the command was given.
    pub(crate) fn here(&self) -> Option<&Task> {
        let here = std::env::current_dir().ok()?.canonicalize().ok()?;
        let is_around =
            |task: &&Task| task.dir.canonicalize().is_ok_and(|dir| here.starts_with(dir));
        self.tasks.iter().find(is_around)
    }

    /// The task with this number.
    pub(crate) fn numbered(&self, number: u32) -> Option<&Task> {
        self.tasks.iter().find(|task| task.number == number)
    }

    /// The last task before this number.
    pub(crate) fn before(&self, number: u32) -> Option<&Task> {
        self.tasks.iter().rfind(|task| task.number < number)
    }

    /// The number after the last task's.
    pub(crate) fn next_number(&self) -> u32 {
        self.tasks.last().map_or(1, |last| last.number + 1)
    }

    /// The task after this one.
    pub(crate) fn after(&self, task: &Task) -> Option<&Task> {
        self.tasks.iter().find(|other| other.number > task.number)
    }

    fn nearest(&self, wanted: &str) -> Option<&Task> {
        let nearness = |task: &Task| {
            let names = [
                task.name.as_str(),
                task.noun.as_str(),
                task.name.split('-').next().unwrap_or_default(),
            ];
            names
                .iter()
                .map(|name| strsim::normalized_damerau_levenshtein(name, wanted))
                .fold(0.0, f64::max)
        };
        self.tasks.iter().max_by(|a, b| nearness(a).total_cmp(&nearness(b)))
    }
}

impl Task {
    /// The first heading of its README.
    pub(crate) fn title(&self) -> Result<String, Error> {
        let readme = self.readme()?;
        Ok(readme
            .lines()
            .find_map(|line| line.strip_prefix("# "))
            .unwrap_or(&self.name)
            .trim()
            .to_owned())
    }

    /// The README up to its first section.
    pub(crate) fn opening(&self) -> Result<String, Error> {
        let readme = self.readme()?;
        Ok(readme
            .lines()
            .take_while(|line| !line.starts_with("## "))
            .collect::<Vec<_>>()
            .join("\n")
            .trim()
            .to_owned())
    }

    /// The requirements that its README lists.
    pub(crate) fn requirements(&self) -> Result<Vec<Requirement>, Error> {
        Ok(requirements::read(&self.readme()?))
    }

    /// The learner's file.
    pub(crate) fn exercise(&self) -> PathBuf {
        self.dir.join("tests/exercise.rs")
    }

    /// The finished suite.
    pub(crate) fn solution(&self) -> PathBuf {
        self.dir.join("tests/solution.rs")
    }

    /// Whether its manifest has the feature `integration`.
    pub(crate) fn has_integration_tier(&self) -> Result<bool, Error> {
        let manifest: toml::Table =
            toml::from_str(&text(&self.dir.join("Cargo.toml"))?).map_err(|e| {
                Error::new(format!("{}/Cargo.toml cannot be read", self.dir.display()))
                    .cause(e.message())
            })?;
        Ok(manifest.get("features").and_then(|features| features.get("integration")).is_some())
    }

    fn readme(&self) -> Result<String, Error> {
        text(&self.dir.join("README.md"))
    }
}

/// Warns if the path of the build directory has a space. librdkafka's configure script fails there,
/// and its long output does not name the cause.
pub(crate) fn warn_of_a_space(root: &Path) {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    if target.to_string_lossy().contains(char::is_whitespace) {
        let trouble = Error::new("librdkafka cannot be built in a path with a space")
            .cause(format!("the build directory is {}", target.display()))
            .fix("export CARGO_TARGET_DIR=<a directory without a space in its path>");
        say::note(format_args!("{}: {trouble}\n", say::paint(say::BAD, "warning")));
    }
}

/// The text of a file, or an error that names it.
pub(crate) fn text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|e| {
        let error = Error::new(format!("cannot read {}", path.display())).cause(&e);
        if e.kind() == std::io::ErrorKind::NotFound {
            error.fix(format!("git checkout HEAD -- {}", say::quoted(path.display())))
        } else {
            error
        }
    })
}

fn tasks_in(crates: &Path) -> Result<Vec<Task>, Error> {
    let entries = std::fs::read_dir(crates)
        .map_err(|e| Error::new(format!("cannot read {}", crates.display())).cause(e))?;
    let mut tasks: Vec<Task> =
        entries.flatten().filter_map(|entry| task_in(&entry.path())).collect();
    tasks.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    Ok(tasks)
}

/// A folder is a task if its name and its manifest say so. Any other crate may be beside the tasks.
fn task_in(dir: &Path) -> Option<Task> {
    let name = dir.file_name()?.to_str()?.to_owned();
    let (number, noun) = name.strip_prefix("task")?.split_once('-')?;
    let (number, noun) = (number.parse().ok()?, noun.to_owned());
    dir.join("Cargo.toml").is_file().then(|| Task { name, dir: dir.to_owned(), number, noun })
}

#[cfg(test)]
mod tests {
    use super::{Course, Task};

    fn course() -> Course {
        let task = |number, noun: &str| Task {
            name: format!("task{number:02}-{noun}"),
            dir: "x".into(),
            number,
            noun: noun.into(),
        };
        Course {
            root: "x".into(),
            tasks: vec![task(1, "health"), task(7, "kafka"), task(21, "testenv")],
        }
    }

    #[test]
    fn a_task_is_meant_by_name_number_prefix_noun_or_folder() {
        let course = course();
        for word in
            ["task07-kafka", "7", "07", "task07", "task7", "kafka", "Kafka", "crates/task07-kafka/"]
        {
            assert_eq!(
                course.find(word).map(|task| task.name.as_str()),
                Ok("task07-kafka"),
                "{word}"
            );
        }
    }

    #[test]
    fn an_unknown_task_is_answered_with_the_nearest() {
        for (word, nearest) in [
            ("kafak", "task07-kafka"),
            ("task7-kafka", "task07-kafka"),
            ("helth", "task01-health"),
            ("tesenv", "task21-testenv"),
        ] {
            let error = course().find(word).err().unwrap().to_string();
            assert!(error.contains(&format!("say {nearest}")), "{word}: {error}");
        }
    }
}
