//! The table: what can be known of it before a charge, and reading it inside the boundary afterwards.

use std::path::{Path, PathBuf};

use dpsynth_privacy::{OwnedRows, Paid, PrivacyUnit, Private, Records};
use dpsynth_table::{
    Dialect, Format, OwnerColumn, ReadOptions, Schema, TableError, read, read_header, read_owned,
};

use super::ReleaseError;
use crate::learn::{self, OpenCells};
use crate::plan::ReleasePlan;
use crate::policy::Policy;

/// A table whose header is that of the policy. Nothing else of it was looked at.
pub(super) struct Input<'a> {
    path: &'a Path,
    pub(super) format: Format,
    dialect: Dialect,
    header: Vec<String>,
}

impl<'a> Input<'a> {
    /// Looks at the header of the table at `path`, which holds only what the policy states.
    pub(super) fn new(
        policy: &Policy,
        path: &'a Path,
        format: Option<Format>,
    ) -> Result<Self, ReleaseError> {
        let format = format.map_or_else(|| Format::of_path(path), Ok)?;
        let dialect = policy.dataset.dialect;
        let header = read_header(path, Some(format), dialect)?;
        check_header(policy, &header)?;
        Ok(Self {
            path,
            format,
            dialect,
            header,
        })
    }

    /// Reads the columns that are modelled, and caps the rows of each unit before anything else.
    pub(super) fn records(
        &self,
        paid: &mut Paid,
        plan: &ReleasePlan,
        policy: &Policy,
    ) -> Result<Private<Records>, ReleaseError> {
        // Derived columns are computed afterwards, and identifiers made up, so those of the file are
        // not read.
        let ignored = policy
            .ignored
            .iter()
            .cloned()
            .chain(policy.derived())
            .chain(policy.identifiers())
            .collect();
        let source = Source {
            path: self.path.to_owned(),
            schema: policy.modelled_schema(plan.engine)?,
            options: self.options(ignored),
        };
        let column = match &plan.unit {
            PrivacyUnit::Row => return Private::load(paid, source, load),
            PrivacyUnit::User { column, .. } => column,
        };
        let owner = OwnerColumn {
            name: column.clone(),
            missing_tokens: policy.dataset.missing_tokens.clone(),
        };
        let rows = Private::load(paid, (source, owner), load_owned)?;
        Ok(paid.cap(rows)?)
    }

    /// Reads the columns that the policy leaves open, each by itself.
    pub(super) fn open_columns(
        &self,
        paid: &mut Paid,
        plan: &ReleasePlan,
        policy: &Policy,
    ) -> Result<Vec<(String, OpenCells)>, ReleaseError> {
        let options = self.options(self.header.clone());
        learn::load(paid, &plan.unit, policy, self.path, &options)
    }

    fn options(&self, ignored: Vec<String>) -> ReadOptions {
        ReadOptions {
            format: Some(self.format),
            dialect: self.dialect,
            ignored,
        }
    }
}

/// What the loader is given: where the table is, and what it must look like.
struct Source {
    path: PathBuf,
    schema: Schema,
    options: ReadOptions,
}

/// Reads rows of which each is a unit.
fn load(source: Source) -> Result<Records, ReleaseError> {
    let Source {
        path,
        schema,
        options,
    } = source;
    let table = read(&path, &schema, options)?;
    Ok(Records::rows(schema.codes(), table.codes)?)
}

/// Reads rows that belong to units.
fn load_owned((source, owner): (Source, OwnerColumn)) -> Result<OwnedRows, ReleaseError> {
    let Source {
        path,
        schema,
        options,
    } = source;
    let owned = read_owned(&path, &schema, options, &owner)?;
    Ok(OwnedRows::new(
        schema.codes(),
        owned.table.codes,
        owned.owners,
    )?)
}

/// Refuses a table whose header is not what the policy states, before anything is spent.
fn check_header(policy: &Policy, header: &[String]) -> Result<(), ReleaseError> {
    let derived = policy.derived();
    let absent: Vec<String> = policy
        .schema
        .names()
        .filter(|name| !derived.iter().any(|derived| derived == name))
        .filter(|name| !header.iter().any(|column| column == name))
        .map(str::to_owned)
        .collect();
    if !header
        .iter()
        .any(|column| policy.schema.column(column).is_some())
    {
        // The first record may be one of data, and must not be shown then.
        return Err(TableError::HeaderNotFound.into());
    }
    let unknown: Vec<String> = header
        .iter()
        .filter(|column| policy.schema.column(column).is_none() && !policy.ignored.contains(column))
        .cloned()
        .collect();
    if absent.is_empty() && unknown.is_empty() {
        Ok(())
    } else {
        Err(ReleaseError::Header { absent, unknown })
    }
}
