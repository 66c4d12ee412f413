//! The folder of a release: written beside its place, synchronised, and moved there whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dpsynth_privacy::Released;
use dpsynth_privacy::ledger::Signature;
use dpsynth_table::{Format, Schema, TableWriter, WriteError};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::synthesise::Synthesis;

/// Name of the list of files and their hashes.
pub const MANIFEST: &str = "MANIFEST";
/// Name of the signature over that list: 128 hexadecimal digits and a line end.
pub const SIGNATURE: &str = "MANIFEST.sig";
/// Name of the model file.
pub const MODEL: &str = "model.safetensors";

/// A release folder that is being written. Unless it is finished, it is removed.
pub struct Folder {
    partial: PathBuf,
    place: PathBuf,
    /// When the run began. All files bear this time, because how long a run takes depends on the table.
    begun: SystemTime,
    finished: bool,
}

impl Folder {
    /// Begins a folder that will be at `place`, which must not exist.
    ///
    /// # Errors
    /// If something is there already, or the parent cannot be written to.
    pub fn begin(place: &Path) -> Result<Self, FolderError> {
        let name = place
            .file_name()
            .ok_or_else(|| FolderError::Name {
                path: place.to_owned(),
            })?
            .to_string_lossy()
            .into_owned();
        if place.exists() {
            return Err(FolderError::Exists {
                path: place.to_owned(),
            });
        }
        let partial = place.with_file_name(format!(".{name}.partial-{}", std::process::id()));
        fs::create_dir_all(parent(place))
            .and_then(|()| fs::create_dir(&partial))
            .map_err(|source| FolderError::Io {
                path: partial.clone(),
                source,
            })?;
        Ok(Self {
            partial,
            place: place.to_owned(),
            begun: SystemTime::now(),
            finished: false,
        })
    }

    /// Begins the synthetic table.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn begin_table(&self, schema: &Schema, format: Format) -> Result<TableFile, FolderError> {
        let path = self.partial.join(table_name(format));
        let writer = TableWriter::create(&path, schema, format)?;
        Ok(TableFile { writer })
    }

    /// Writes the model.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_model(&self, model: &Released<Vec<u8>>) -> Result<(), FolderError> {
        self.write_bytes(MODEL, model)
    }

    /// Writes a text that holds public or released values only.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_text(&self, name: &str, text: &str) -> Result<(), FolderError> {
        self.write_bytes(name, text.as_bytes())
    }

    fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.partial.join(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            });
        written.map_err(|source| FolderError::Io { path, source })
    }

    /// Writes the manifest, has it committed, and moves the folder to its place.
    ///
    /// `commit` is given the manifest's bytes once every file is on disk, and returns the signature
    /// over them, or `None` where nothing was charged.
    ///
    /// # Guarantee
    /// A folder at its place was committed before. After a crash there is a whole folder or none.
    ///
    /// # Errors
    /// If the commit fails, a file cannot be synchronised, or something has appeared at the place.
    /// There is no folder then. If what follows the commit fails, the whole folder is left under its
    /// temporary name.
    pub fn finish<E: From<FolderError>>(
        mut self,
        commit: impl FnOnce(&[u8]) -> Result<Option<Signature>, E>,
    ) -> Result<(), E> {
        let manifest = manifest(&self.partial).map_err(|source| self.refused(source))?;
        self.write_text(MANIFEST, &manifest)?;
        self.sync_files().map_err(|source| self.refused(source))?;
        if self.place.exists() {
            // Known before the commit, so that no commit names a folder that cannot be.
            return Err(self.refused(io::ErrorKind::AlreadyExists.into()).into());
        }
        let signature = commit(manifest.as_bytes())?;
        // It is whole and the ledger names it: from here on it is never removed.
        self.finished = true;
        if let Some(signature) = signature {
            self.write_text(SIGNATURE, &format!("{signature}\n"))
                .map_err(|source| FolderError::NotSigned {
                    partial: self.partial.clone(),
                    signature: signature.to_string(),
                    source: Box::new(source),
                })?;
        }
        self.put().map_err(|source| FolderError::NotMoved {
            partial: self.partial.clone(),
            place: self.place.clone(),
            source,
        })?;
        Ok(())
    }

    /// Has all files on disk, and gives them the time at which the run began.
    fn sync_files(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.partial)? {
            self.sync(&entry?.path())?;
        }
        self.sync(&self.partial)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        // A file system that lets nobody set times is no reason to lose a release.
        let _ = file.set_modified(self.begun);
        file.sync_all()
    }

    fn put(&self) -> io::Result<()> {
        self.sync_files()?;
        // A rename onto an existing folder would fail only if that is not empty.
        if self.place.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.partial, &self.place)?;
        File::open(parent(&self.place))?.sync_all()
    }

    fn refused(&self, source: io::Error) -> FolderError {
        FolderError::Io {
            path: self.place.clone(),
            source,
        }
    }
}

/// The synthetic table of a folder, written as its rows are drawn.
pub struct TableFile {
    writer: TableWriter,
}

impl TableFile {
    /// Writes the rows that were drawn last.
    ///
    /// # Guarantee
    /// Only released rows are accepted, and all are checked against the schema as they are
    /// written.
    ///
    /// # Errors
    /// If a cell is not in its domain, which is a defect, or the file cannot be written.
    pub fn write(&mut self, rows: &Released<Synthesis<'_>>) -> Result<(), FolderError> {
        Ok(self.writer.write(rows.table())?)
    }

    /// Writes what stands after the last row, and waits until the file is on disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> Result<(), FolderError> {
        Ok(self.writer.finish()?)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing can be done about a failure here; the name says that it is partial.
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// Lists the files of a folder and their SHA-256, one per line, in the order of their names; the
/// list itself and its signature are not on it.
///
/// # Errors
/// If a file cannot be read, or something is no file of its own: a link or a folder.
pub fn manifest(folder: &Path) -> io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What a link leads to is not in the folder, and can change while nobody looks.
        if !entry.file_type()?.is_file() {
            let why = format!("{name} is no plain file; a release holds nothing else");
            return Err(io::Error::other(why));
        }
        if name != MANIFEST && name != SIGNATURE {
            names.push(name);
        }
    }
    names.sort();
    let mut text = String::new();
    for name in names {
        let digest = sha256(&folder.join(&name))?;
        text.push_str(&format!("{digest}  {name}\n"));
    }
    Ok(text)
}

/// The hash of a file in hexadecimal digits; a table need not fit into memory.
fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut Hashing(&mut hasher))?;
    let digits = hasher.finalize();
    Ok(digits.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Hashes what is written to it.
struct Hashing<'h>(&'h mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Finds the synthetic table of a folder.
#[must_use]
pub fn synthetic_table(folder: &Path) -> Option<(PathBuf, Format)> {
    Format::ALL
        .into_iter()
        .map(|format| (folder.join(table_name(format)), format))
        .find(|(path, _)| path.is_file())
}

fn table_name(format: Format) -> String {
    format!("synthetic.{}", format.extension())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Why a folder was not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Something is there already.
    #[error("{} exists already; name another folder with `--out`, nothing is ever overwritten", .path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("{} cannot be written ({source}); check that the folder exists, is yours and has room", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The finished folder cannot be moved to its place.
    #[error("the release is whole and committed, but cannot be moved to {} ({source}); move {} there", .place.display(), .partial.display())]
    NotMoved {
        /// Where it is.
        partial: PathBuf,
        /// Where it should be.
        place: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The signature cannot be written into the finished folder.
    #[error("the release is whole and committed, but its signature cannot be written: {source}; write the line {signature} into the file {SIGNATURE} of {}, then give that folder its name", .partial.display())]
    NotSigned {
        /// Where the folder is.
        partial: PathBuf,
        /// The signature, in hexadecimal.
        signature: String,
        /// Why.
        source: Box<FolderError>,
    },
    /// The path names no folder.
    #[error("{} is no name for a folder; name one with `--out`", .path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// The table cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl FolderError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] =
        &["DPS5021", "DPS5022", "DPS5023", "DPS5024", "DPS5025"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "DPS5021",
            Self::Io { .. } => "DPS5022",
            Self::Name { .. } => "DPS5023",
            Self::NotMoved { .. } => "DPS5024",
            Self::NotSigned { .. } => "DPS5025",
            Self::Write(error) => error.code(),
        }
    }
}
