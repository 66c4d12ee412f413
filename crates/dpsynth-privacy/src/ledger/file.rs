//! The ledger file on disk: locked, appended to, synced.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::LedgerError;
use super::line::MAX_FILE_BYTES;

/// A ledger file under an exclusive lock, which ends when the value is dropped.
#[derive(Debug)]
pub(crate) struct LockedFile {
    file: File,
    path: PathBuf,
    /// Where the next record starts.
    length: u64,
}

/// What to do where there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// Make an empty one.
    Make,
    /// Refuse: a ledger was named that is not there.
    Refuse,
    /// Refuse: it was there before.
    Replaced,
}

impl LockedFile {
    /// Opens the file at `path` and locks it, waiting for at most `patience` while another
    /// process holds the lock.
    ///
    /// Making and locking are two steps. Whoever gets the lock first writes the first record, so
    /// two processes that make a ledger at once cannot both believe that it is theirs.
    pub(crate) fn lock(
        path: &Path,
        absent: Absent,
        patience: Duration,
    ) -> Result<LockedFile, LedgerError> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(absent == Absent::Make)
            .truncate(false)
            .open(path);
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound && absent == Absent::Replaced => {
                return Err(LedgerError::FileReplaced {
                    path: path.to_owned(),
                });
            }
            opened => opened.map_err(failed("open", path))?,
        };
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < patience => {
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LedgerError::Busy {
                        path: path.to_owned(),
                        waited: patience,
                    });
                }
                Err(TryLockError::Error(source)) => return Err(failed("lock", path)(source)),
            }
        }
        let locked = LockedFile {
            file,
            path: path.to_owned(),
            length: 0,
        };
        locked.check_identity()?;
        Ok(locked)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the whole file; the next record goes after it.
    pub(crate) fn read(&mut self) -> Result<Vec<u8>, LedgerError> {
        let bytes = read_bounded(&mut self.file, &self.path)?;
        self.length = bytes.len() as u64;
        Ok(bytes)
    }

    /// Copies the torn bytes from `length` on into a file beside the ledger, then cuts them off.
    ///
    /// # Guarantee
    /// The copy is on disk before the ledger is cut, so that nothing is lost by a crash here.
    pub(crate) fn set_torn_aside(
        &mut self,
        bytes: &[u8],
        length: usize,
    ) -> Result<(), LedgerError> {
        let mut number = 1_u32;
        loop {
            let path = beside(&self.path, &format!(".torn-{number}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut copy) => {
                    copy.write_all(&bytes[length..])
                        .and_then(|()| copy.sync_all())
                        .and_then(|()| sync_folder(&path))
                        .map_err(failed("set a torn line aside from", &path))?;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(failed("set a torn line aside from", &path)(source)),
            }
        }
        self.file
            .set_len(length as u64)
            .and_then(|()| self.file.sync_all())
            .map_err(failed("repair", &self.path))?;
        self.length = length as u64;
        Ok(())
    }

    /// Appends `text` in one write and waits until it is on disk.
    ///
    /// # Guarantee
    /// After `Ok`, a crash of the process or the machine does not lose `text`.
    pub(crate) fn append(&mut self, text: &str) -> Result<(), LedgerError> {
        self.check_identity()?;
        if self.length + text.len() as u64 > MAX_FILE_BYTES {
            return Err(LedgerError::FileTooLong);
        }
        self.file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.sync_all())
            .map_err(failed("write to", &self.path))?;
        self.length += text.len() as u64;
        Ok(())
    }

    /// Waits until the file's name is on disk too.
    pub(crate) fn sync_name(&self) -> Result<(), LedgerError> {
        sync_folder(&self.path).map_err(failed("write the folder of", &self.path))
    }

    /// Refuses when the path no longer leads to the locked file, or when somebody without the
    /// lock wrote to it: the charges of this process would then be booked where none looks.
    fn check_identity(&self) -> Result<(), LedgerError> {
        let locked = self.file.metadata().map_err(failed("read", &self.path))?;
        let named = std::fs::metadata(&self.path);
        let written = self.length != 0 && locked.len() != self.length;
        match named {
            Ok(named) if same_file(&locked, &named) && !written => Ok(()),
            Ok(_) => Err(LedgerError::FileReplaced {
                path: self.path.clone(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(LedgerError::FileReplaced {
                    path: self.path.clone(),
                })
            }
            Err(source) => Err(failed("read", &self.path)(source)),
        }
    }
}

/// Reads a ledger file without a lock: a reader sees the records that were there when it began,
/// and perhaps part of one more.
pub(crate) fn read_unlocked(path: &Path) -> Result<Vec<u8>, LedgerError> {
    let mut file = File::open(path).map_err(failed("open", path))?;
    read_bounded(&mut file, path)
}

/// Reads at most one byte more than a ledger can have, which is enough to refuse it.
fn read_bounded(file: &mut File, path: &Path) -> Result<Vec<u8>, LedgerError> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed("read", path))?;
    Ok(bytes)
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever may read the ledger.
    All,
    /// Its owner alone: it holds a secret.
    Owner,
}

/// Reads a small file, if there is one.
///
/// # Errors
/// If the file system refuses, or others can read what only its owner may.
pub(crate) fn read_small(path: &Path, access: Access) -> Result<Option<Vec<u8>>, LedgerError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("open", path)(source)),
    };
    if access == Access::Owner && others_can_read(&file.metadata().map_err(failed("read", path))?) {
        return Err(LedgerError::KeyExposed {
            path: path.to_owned(),
        });
    }
    // As much room as is needed at most, so that no copy of a secret is left behind by growing.
    let mut bytes = Vec::with_capacity(MAX_SMALL_BYTES);
    file.take(MAX_SMALL_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(failed("read", path))?;
    Ok(Some(bytes))
}

/// Writes a small file beside its place, synchronises it and moves it there.
///
/// The caller holds the lock of the ledger that the file belongs to.
///
/// # Guarantee
/// After `Ok` the file is on disk; after a crash there is the old one or the new one, whole.
pub(crate) fn put_whole(path: &Path, bytes: &[u8], access: Access) -> Result<(), LedgerError> {
    let partial = beside(path, ".partial");
    let put = || -> io::Result<()> {
        // What a crash left behind may have been made with other permissions.
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        restrict(&mut options, access);
        let mut file = options.open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)?;
        sync_folder(path)
    };
    put().map_err(failed("write", path))
}

/// Returns the file that `path` leads to, so that one ledger has one key and one checkpoint, by
/// whichever link it is called.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    match is_link {
        true => std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        false => path.to_owned(),
    }
}

/// Returns `path` with `ending` after its last character.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, access: Access) {
    use std::os::unix::fs::OpenOptionsExt as _;
    if access == Access::Owner {
        options.mode(0o600);
    }
}

/// Elsewhere a file takes the permissions of its folder.
#[cfg(not(unix))]
fn restrict(_: &mut OpenOptions, _: Access) {}

#[cfg(unix)]
fn others_can_read(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Elsewhere the permissions of the folder decide.
#[cfg(not(unix))]
fn others_can_read(_: &Metadata) -> bool {
    false
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io {
        action,
        path,
        source,
    }
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Elsewhere an open file cannot be replaced.
#[cfg(not(unix))]
fn same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// A new name is durable only when its folder is.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// Elsewhere folders cannot be opened, and the file system sees to it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// How often a held lock is looked at again.
const POLL: Duration = Duration::from_millis(5);
/// A key and a checkpoint are far smaller.
const MAX_SMALL_BYTES: usize = 4096;
