//! Columns of which exactly one is 1, and every other 0.

use dpsynth_table::{Column as SchemaColumn, Domain};
use polars::prelude::{
    Column, DataFrame, Int64Chunked, IntoColumn, NewChunkedArray, PolarsResult, StringChunked,
};

/// Columns of which exactly one is set.
#[derive(Clone, Debug)]
pub(crate) struct OneHot {
    members: Vec<Member>,
}

/// One of the columns.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    form: Form,
}

/// How a column says whether it is set.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// 1 or 0.
    Number,
    /// `true` or `false`.
    Word,
}

impl Form {
    fn of(column: &SchemaColumn) -> Option<Self> {
        match &column.domain {
            Domain::Integer { min: 0, max: 1, .. } => Some(Self::Number),
            Domain::Categorical { categories } => {
                let mut sorted: Vec<&str> = categories.iter().map(String::as_str).collect();
                sorted.sort_unstable();
                (sorted == [FALSE, TRUE]).then_some(Self::Word)
            }
            _ => None,
        }
    }
}

impl OneHot {
    /// Returns whether a column can be one of those.
    pub(crate) fn takes(column: &SchemaColumn) -> bool {
        Form::of(column).is_some()
    }

    /// Joins columns that can be set.
    pub(crate) fn new(columns: &[&SchemaColumn]) -> Self {
        let member = |column: &&SchemaColumn| {
            Some(Member {
                name: column.name.clone(),
                form: Form::of(column)?,
            })
        };
        Self {
            members: columns.iter().filter_map(member).collect(),
        }
    }

    /// Returns the rows in which none or several are set; one with a missing cell does not count.
    pub(crate) fn broken(&self, table: &DataFrame) -> PolarsResult<Vec<bool>> {
        let columns = self.read(table)?;
        Ok((0..table.height())
            .map(|row| {
                let cells = columns.iter().map(|column| column[row]);
                let set = cells.clone().filter(|cell| *cell == Some(true)).count();
                set != 1 && cells.clone().all(|cell| cell.is_some())
            })
            .collect())
    }

    /// Leaves one set: one of those that are, or any where none is, drawn by how often each is set in
    /// the table.
    pub(crate) fn repair(
        &self,
        table: &mut DataFrame,
        broken: &[bool],
        uniform: &mut dyn FnMut() -> f64,
    ) -> PolarsResult<()> {
        let mut columns = self.read(table)?;
        let often: Vec<f64> = (columns.iter())
            .map(|column| 1.0 + column.iter().filter(|cell| **cell == Some(true)).count() as f64)
            .collect();
        for row in (0..table.height()).filter(|row| broken[*row]) {
            let none = columns.iter().all(|column| column[row] != Some(true));
            let weight = |member: usize| match columns[member][row] {
                Some(true) => often[member],
                _ if none => often[member],
                _ => 0.0,
            };
            let total: f64 = (0..columns.len()).map(weight).sum();
            let mut left = uniform() * total;
            let drawn = (0..columns.len()).find(|member| {
                left -= weight(*member);
                left < 0.0
            });
            // Rounding takes the last that can be taken.
            let last = || {
                (0..columns.len())
                    .rev()
                    .find(|member| weight(*member) > 0.0)
            };
            let drawn = drawn.or_else(last);
            for (member, column) in columns.iter_mut().enumerate() {
                column[row] = Some(drawn == Some(member));
            }
        }
        for (member, cells) in self.members.iter().zip(columns) {
            table.with_column(member.write(&cells))?;
        }
        Ok(())
    }

    /// Reads for each column which rows are set.
    fn read(&self, table: &DataFrame) -> PolarsResult<Vec<Vec<Option<bool>>>> {
        let read = |member: &Member| {
            let column = table.column(&member.name)?;
            Ok(match member.form {
                Form::Number => (column.i64()?.iter())
                    .map(|cell| cell.map(|cell| cell == 1))
                    .collect(),
                Form::Word => (column.str()?.iter())
                    .map(|cell| cell.map(|cell| cell == TRUE))
                    .collect(),
            })
        };
        self.members.iter().map(read).collect()
    }
}

impl Member {
    fn write(&self, cells: &[Option<bool>]) -> Column {
        let name = self.name.as_str().into();
        match self.form {
            Form::Number => {
                let numbers = cells.iter().map(|cell| cell.map(i64::from));
                Int64Chunked::from_iter_options(name, numbers).into_column()
            }
            Form::Word => {
                let word = |set| if set { TRUE } else { FALSE };
                let words = cells.iter().map(|cell| cell.map(word));
                StringChunked::from_iter_options(name, words).into_column()
            }
        }
    }
}

/// The values of a boolean column.
const FALSE: &str = "false";
const TRUE: &str = "true";
