//! Images as files, for machines that begin without any, as those of a CI service do.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::Setup;
use crate::Error;
use crate::images::Image;
use crate::tools::images;
use crate::tools::say;
use crate::tools::steps::step;

/// Half a gigabyte takes seconds on a disk of its own.
const COPY_LIMIT: Duration = Duration::from_mins(5);

impl Setup {
    /// Takes images from the files of this folder, and keeps there the images that it finds or
    /// provides.
    #[must_use]
    pub fn archive(self, folder: Option<PathBuf>) -> Setup {
        Setup { archive: folder, ..self }
    }

    /// Loads the files that the folder has of an image. A file that cannot be loaded is passed over:
    /// the image is provided as if there were none, and kept again.
    pub(super) fn load(&mut self, image: &Image) -> Result<(), Error> {
        let names = images::names(image);
        let files: Vec<PathBuf> = names.iter().filter_map(|name| self.file(name)).collect();
        for file in files.into_iter().filter(|file| file.is_file()) {
            let mut load = Command::new("docker");
            load.args(["load", "--quiet", "--input"]).arg(&file);
            let what = format!("{}: loading {}", image.service, file.display());
            match step(&what, &mut load, COPY_LIMIT)? {
                Ok(()) => self.done += 1,
                Err(why) => {
                    say::note(format_args!("{} is no image: {why}", file.display()));
                    std::fs::remove_file(&file).map_err(|cause| self.unwritable(&cause))?;
                }
            }
        }
        Ok(())
    }

    /// Keeps the image with this name, unless the folder has it.
    pub(super) fn keep(&self, image: &Image, name: &str) -> Result<(), Error> {
        let Some(file) = self.file(name).filter(|file| !file.is_file()) else { return Ok(()) };
        let (folder, scratch) = (file.parent().unwrap_or(&file), file.with_extension("part"));
        std::fs::create_dir_all(folder).map_err(|cause| self.unwritable(&cause))?;
        let mut save = Command::new("docker");
        save.args(["save", "--output"]).arg(&scratch).arg(name);
        let saved = step(&format!("{}: keeping {name}", image.service), &mut save, COPY_LIMIT)?;
        saved.map_err(|why| self.unwritable(&why))?;
        std::fs::rename(scratch, file).map_err(|cause| self.unwritable(&cause))
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        let legal = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let file: String = name.chars().map(legal).collect();
        Some(self.archive.as_ref()?.join(file + ".tar"))
    }

    fn unwritable(&self, cause: &dyn std::fmt::Display) -> Error {
        let folder = self.archive.as_deref().unwrap_or("".as_ref()).display();
        Error::new(format!("images cannot be kept in {folder}"))
            .cause(cause)
            .fix("--images <a folder of yours with half a gigabyte left>")
    }
}
