//! Images as files, for machines that begin without any, as those of a CI service do.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::Setup;
use crate::images::Image;
use crate::tools::images;
use crate::tools::say;
use crate::tools::steps::step;
use crate::{Error, Heading};

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
    /// the image is provided as if there were none, and replaces the file.
    pub(super) fn load(&mut self, image: &Image) -> Result<(), Error> {
        let names = images::names(image);
        let files: Vec<PathBuf> = names.iter().filter_map(|name| self.file(name)).collect();
        for file in files.into_iter().filter(|file| file.is_file()) {
            let mut load = Command::new("docker");
            load.args(["load", "--quiet", "--input"]).arg(&file);
            let what = format!("{}: loading {}", image.service, file.display());
            match step(&what, &mut load, COPY_LIMIT)? {
                Ok(()) => self.done += 1,
                // It may be half of an image, or the engine has no room: it stays until it is replaced.
                Err(why) => say::note(format_args!("{} cannot be loaded: {why}", file.display())),
            }
        }
        Ok(())
    }

    /// Keeps the image with this name, if the folder has no file of it.
    pub(super) fn keep_if_missing(&self, image: &Image, name: &str) -> Result<(), Error> {
        match self.file(name) {
            Some(file) if !file.is_file() => self.keep(image, name),
            _ => Ok(()),
        }
    }

    /// Keeps the image with this name. A file of it that is there is replaced by a whole one.
    pub(super) fn keep(&self, image: &Image, name: &str) -> Result<(), Error> {
        let (Some(folder), Some(file)) = (&self.archive, self.file(name)) else { return Ok(()) };
        std::fs::create_dir_all(folder).map_err(|cause| self.unwritable(&cause))?;
        let dir = tempfile::tempdir_in(folder).map_err(|cause| self.unwritable(&cause))?;
        let scratch = dir.path().join("image");
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
        Error::under(Heading::Setup, format!("images cannot be kept in {folder}"))
            .cause(cause)
            .fix("--images <a folder of yours with half a gigabyte left>")
    }
}
