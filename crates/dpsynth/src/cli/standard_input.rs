//! A table that comes through standard input.

#[cfg(target_os = "linux")]
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dpsynth_table::Format;
use tempfile::NamedTempFile;

use super::error::CliError;

/// Standard input, kept in a file of the folder for temporary files, because a table is read more than once.
///
/// The file is readable by its owner alone. Where the system allows it, it has no name, and is gone with the
/// process however that ends; elsewhere it is removed when this value is dropped.
pub(super) enum Spooled {
    /// Open, and without a name.
    #[cfg(target_os = "linux")]
    Nameless(File),
    Named(NamedTempFile),
}

impl Spooled {
    /// Reads standard input to its end.
    pub(super) fn take() -> Result<Self, CliError> {
        Self::of(&mut io::stdin().lock())
            .map_err(|source| CliError::io(Path::new("standard input"), source))
    }

    fn of(from: &mut dyn Read) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            let mut file = tempfile::tempfile()?;
            // Without a name it cannot be opened by others, and with these rights not through a descriptor either.
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            // Where the system does not show open files, the file must have a name.
            if File::open(shown(&file)).is_ok() {
                io::copy(from, &mut file)?;
                return Ok(Self::Nameless(file));
            }
        }
        let mut file = NamedTempFile::with_prefix("dpsynth-")?;
        io::copy(from, &mut file)?;
        Ok(Self::Named(file))
    }

    /// Where it can be read.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            #[cfg(target_os = "linux")]
            Self::Nameless(file) => shown(file),
            Self::Named(file) => file.path().to_owned(),
        }
    }

    /// Its format, by its first bytes.
    pub(super) fn format(&self) -> Result<Format, CliError> {
        Ok(Format::of_content(&self.path())?)
    }
}

/// Where the system shows an open file.
#[cfg(target_os = "linux")]
fn shown(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd as _;

    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_can_be_read_twice_and_by_its_owner_alone() {
        let text = "a,b\n1,2\n".repeat(10_000);
        let mut named = NamedTempFile::new().unwrap();
        io::copy(&mut text.as_bytes(), &mut named).unwrap();
        for spooled in [
            Spooled::of(&mut text.as_bytes()).unwrap(),
            Spooled::Named(named),
        ] {
            let path = spooled.path();
            for _ in 0..2 {
                assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            }
            assert_eq!(spooled.format().unwrap(), Format::Csv);
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt as _;
                let held = std::fs::metadata(&path).unwrap();
                assert_eq!(held.mode() & 0o777, 0o600);
                // What has no name needs no removal.
                assert_eq!(
                    held.nlink(),
                    u64::from(matches!(spooled, Spooled::Named(_)))
                );
            }
        }
    }

    #[test]
    fn a_file_with_a_name_is_removed() {
        let spooled = Spooled::Named(NamedTempFile::new().unwrap());
        let path = spooled.path();
        assert!(path.exists());
        drop(spooled);
        assert!(!path.exists());
    }
}
