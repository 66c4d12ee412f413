//! Records as the mechanisms see them: small integer codes, grouped by privacy unit.

use thiserror::Error;

use crate::sgd::BLOCK_ROWS;

/// Rows of codes, grouped by privacy unit.
///
/// Values of this type are made by a loader inside [`Private::load`](crate::Private::load).
pub struct Records {
    domain_sizes: Vec<u32>,
    codes: Vec<u16>,
    units: Units,
}

/// Which rows belong to which unit.
enum Units {
    /// Every row is a unit, and there are so many.
    Rows(u32),
    /// Rows are grouped.
    Grouped {
        /// Row at which each unit starts, and the number of rows at the end.
        starts: Vec<u32>,
        max_rows: u32,
    },
}

/// What is known of the rows of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsOfUnit {
    /// Each row was taken for a unit of its own: nobody looked who owns it.
    Ungrouped,
    /// They were grouped, and there are at most so many.
    AtMost(u32),
}

impl Records {
    /// Takes rows of which each is a privacy unit of its own.
    ///
    /// `codes` is row-major with one code per column; code `j` of a row lies in
    /// `0..domain_sizes[j]`.
    ///
    /// # Errors
    /// If a code lies outside its domain, or the shape does not fit.
    pub fn rows(domain_sizes: Vec<u32>, codes: Vec<u16>) -> Result<Self, RecordsError> {
        let rows = codes
            .len()
            .checked_div(domain_sizes.len())
            .ok_or(RecordsError::Shape)?;
        let rows = u32::try_from(rows).map_err(|_| RecordsError::TooMany)?;
        if !codes.len().is_multiple_of(domain_sizes.len()) {
            return Err(RecordsError::Shape);
        }
        Self::checked(domain_sizes, codes, Units::Rows(rows))
    }

    /// Takes rows grouped by unit: unit `u` owns rows `unit_starts[u]..unit_starts[u + 1]`, at
    /// least one and at most `max_rows` of them.
    ///
    /// # Errors
    /// If a code lies outside its domain, a unit has no row or more than `max_rows`, `max_rows`
    /// exceeds a microbatch, or the shape does not fit.
    pub fn grouped(
        domain_sizes: Vec<u32>,
        codes: Vec<u16>,
        unit_starts: Vec<u32>,
        max_rows: u32,
    ) -> Result<Self, RecordsError> {
        let columns = domain_sizes.len();
        if columns == 0
            || !codes.len().is_multiple_of(columns)
            || unit_starts.first() != Some(&0)
            || unit_starts.last().map(|&end| end as usize) != Some(codes.len() / columns)
        {
            return Err(RecordsError::Shape);
        }
        if !(1..=BLOCK_ROWS as u32).contains(&max_rows) {
            return Err(RecordsError::Cap);
        }
        if unit_starts
            .windows(2)
            .any(|w| w[1] <= w[0] || w[1] - w[0] > max_rows)
        {
            return Err(RecordsError::Cap);
        }
        let units = Units::Grouped {
            starts: unit_starts,
            max_rows,
        };
        Self::checked(domain_sizes, codes, units)
    }

    /// Takes codes whose shape fits, if each lies in its domain.
    fn checked(
        domain_sizes: Vec<u32>,
        codes: Vec<u16>,
        units: Units,
    ) -> Result<Self, RecordsError> {
        for row in codes.chunks_exact(domain_sizes.len()) {
            if row
                .iter()
                .zip(&domain_sizes)
                .any(|(&code, &size)| u32::from(code) >= size)
            {
                return Err(RecordsError::OutOfDomain);
            }
        }
        Ok(Self {
            domain_sizes,
            codes,
            units,
        })
    }

    /// Sizes of the domains of the columns: public.
    #[must_use]
    pub fn domain_sizes(&self) -> &[u32] {
        &self.domain_sizes
    }

    pub(crate) fn rows_of_unit(&self) -> RowsOfUnit {
        match self.units {
            Units::Rows(_) => RowsOfUnit::Ungrouped,
            Units::Grouped { max_rows, .. } => RowsOfUnit::AtMost(max_rows),
        }
    }

    pub(crate) fn columns(&self) -> usize {
        self.domain_sizes.len()
    }

    pub(crate) fn unit_count(&self) -> usize {
        match &self.units {
            Units::Rows(rows) => *rows as usize,
            Units::Grouped { starts, .. } => starts.len() - 1,
        }
    }

    /// Codes of all rows, row-major.
    pub(crate) fn codes(&self) -> &[u16] {
        &self.codes
    }

    /// Rows of one unit.
    pub(crate) fn unit_rows(&self, unit: usize) -> std::ops::Range<usize> {
        match &self.units {
            Units::Rows(_) => unit..unit + 1,
            Units::Grouped { starts, .. } => starts[unit] as usize..starts[unit + 1] as usize,
        }
    }
}

/// The cells of one column as they are in the table, grouped by privacy unit: what is asked of a
/// column before its domain is known. Missing cells are left out.
///
/// Values of this type are made by a loader inside [`Private::load`](crate::Private::load).
pub struct Cells<T> {
    values: Vec<T>,
    rows_of_unit: RowsOfUnit,
}

impl<T> Cells<T> {
    /// Takes cells of rows of which each is a privacy unit of its own.
    #[must_use]
    pub fn rows(values: Vec<T>) -> Self {
        Self {
            values,
            rows_of_unit: RowsOfUnit::Ungrouped,
        }
    }

    /// Takes cells grouped by unit: unit `u` owns cells `unit_starts[u]..unit_starts[u + 1]`, at
    /// most `max_rows` of them and possibly none.
    ///
    /// # Errors
    /// If a unit has more than `max_rows` cells, `max_rows` exceeds a microbatch, or the shape does
    /// not fit.
    pub fn grouped(
        values: Vec<T>,
        unit_starts: &[u32],
        max_rows: u32,
    ) -> Result<Self, RecordsError> {
        if unit_starts.first() != Some(&0)
            || unit_starts.last().map(|&end| end as usize) != Some(values.len())
        {
            return Err(RecordsError::Shape);
        }
        if !(1..=BLOCK_ROWS as u32).contains(&max_rows)
            || unit_starts
                .windows(2)
                .any(|w| w[1] < w[0] || w[1] - w[0] > max_rows)
        {
            return Err(RecordsError::Cap);
        }
        Ok(Self {
            values,
            rows_of_unit: RowsOfUnit::AtMost(max_rows),
        })
    }

    pub(crate) fn values(&self) -> &[T] {
        &self.values
    }

    pub(crate) fn rows_of_unit(&self) -> RowsOfUnit {
        self.rows_of_unit
    }
}

/// Why codes are no records. Each is a defect of the code that read the table.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordsError {
    /// A unit has no row, or more rows than the cap.
    #[error(
        "a privacy unit has more rows than its cap allows, or none; cap the rows of each unit first"
    )]
    Cap,
    /// A code lies outside its domain.
    #[error("a code lies outside the domain of its column; encode the table with its schema")]
    OutOfDomain,
    /// The codes do not form rows of the given columns.
    #[error("the codes do not form rows of the declared columns; encode the table with its schema")]
    Shape,
    /// More rows than 32 bits count.
    #[error("the table has more rows than this version can hold; split the table")]
    TooMany,
}

impl RecordsError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] = &["DPS0301", "DPS0302", "DPS0303", "DPS0304"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cap => "DPS0301",
            Self::OutOfDomain => "DPS0302",
            Self::Shape => "DPS0303",
            Self::TooMany => "DPS0304",
        }
    }
}
