//! The ledger file on disk: locked, appended to, synced.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::LedgerError;
use super::record::MAX_FILE_BYTES;

/// A ledger file under an exclusive lock, which ends when the value is dropped.
#[derive(Debug)]
pub(crate) struct LockedFile {
    file: File,
    path: PathBuf,
    /// Where the next record starts.
    length: u64,
}

impl LockedFile {
    /// Opens the file at `path`, making an empty one where there is none, and locks it.
    ///
    /// Making and locking are two steps. Whoever gets the lock first writes the first record, so
    /// two processes that make a ledger at once cannot both believe that it is theirs.
    pub(crate) fn lock(path: &Path) -> Result<LockedFile, LedgerError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Busy {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock", path)(source)),
        }
        let locked = LockedFile {
            file,
            path: path.to_owned(),
            length: 0,
        };
        locked.check_identity()?;
        Ok(locked)
    }

    /// Reads the whole file; the next record goes after the first `length` bytes, which
    /// [`LockedFile::resume_at`] sets.
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
            let mut name = OsString::from(&self.path);
            name.push(format!(".torn-{number}"));
            let path = PathBuf::from(name);
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
