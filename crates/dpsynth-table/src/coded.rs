//! Cells to codes, column by column, as they are read.

use crate::batch::{Batch, Rows};
use crate::encode::{Cell, CellProblem, Coder, Meaning};
use crate::error::TableError;
use crate::memo::Memo;
use crate::read::CodedTable;
use crate::schema::Schema;

/// A table of codes that is being read.
pub(crate) struct Coded<'a> {
    schema: &'a Schema,
    pub(crate) table: CodedTable,
    /// For each column, what became of its texts.
    memos: Vec<Memos>,
}

/// What became of the texts of one column.
#[derive(Default)]
struct Memos {
    /// Codes, where the column follows no other.
    codes: Option<Memo<Result<u16, CellProblem>>>,
    /// What they mean, where the column follows another or is followed.
    meanings: Option<Memo<Meaning>>,
}

impl Memos {
    fn code(&mut self, coder: &Coder, cell: Cell<'_>) -> Result<u16, CellProblem> {
        let Cell::Text(text) = cell else {
            return coder.encode(cell);
        };
        let memo = self.codes.get_or_insert_with(Memo::new);
        memo.of(text, |text| coder.encode(Cell::Text(text)))
    }

    fn meaning(&mut self, coder: &Coder, cell: Cell<'_>) -> Meaning {
        let Cell::Text(text) = cell else {
            return coder.meaning(cell);
        };
        let memo = self.meanings.get_or_insert_with(Memo::new);
        memo.of(text, |text| coder.meaning(Cell::Text(text)))
    }
}

impl<'a> Coded<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        let columns = schema.columns().len();
        let codes = Vec::new();
        let mut memos = Vec::new();
        memos.resize_with(columns, Memos::default);
        Self {
            schema,
            table: CodedTable { codes, columns },
            memos,
        }
    }

    /// Takes the rows of a batch.
    pub(crate) fn take(&mut self, rows: &Rows<'_>, batch: &Batch) -> Result<(), TableError> {
        let CodedTable { codes, columns } = &mut self.table;
        let columns = *columns;
        let start = codes.len();
        codes.resize(start + batch.rows() * columns, 0);
        let codes = &mut codes[start..];
        for (index, coder) in self.schema.coders().iter().enumerate() {
            let Some(bases) = coder.follows() else {
                let memos = &mut self.memos[index];
                rows.for_each_cell(batch, index, |row, cell| {
                    codes[row * columns + index] = memos.code(coder, cell)?;
                    Ok(())
                })?;
                continue;
            };
            let mut steps = vec![Some(0i64); batch.rows()];
            for &base in bases {
                let first = &self.schema.coders()[base];
                let memos = &mut self.memos[base];
                rows.for_each_cell(batch, base, |row, cell| {
                    // What is wrong with it is said where it is encoded itself.
                    let sum = steps[row].zip(memos.meaning(first, cell).step);
                    steps[row] = sum.and_then(|(sum, step)| sum.checked_add(step));
                    Ok(())
                })?;
            }
            let memos = &mut self.memos[index];
            rows.for_each_cell(batch, index, |row, cell| {
                let meaning = memos.meaning(coder, cell);
                codes[row * columns + index] = coder.encode_after(steps[row], meaning)?;
                Ok(())
            })?;
        }
        Ok(())
    }
}
