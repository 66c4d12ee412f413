//! A public table with typed columns.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};
use polars::prelude::{Column as FrameColumn, DataFrame, NamedFrom as _, PolarsResult, Series};

use crate::batch::Batch;
use crate::encode::{Cell, CellProblem, Coder};
use crate::error::TableError;
use crate::schema::{Domain, Missing, Schema};
use crate::series;
use crate::text::{seconds_of, within};

/// A public table: synthetic rows, never private records.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    columns: Vec<TableColumn>,
    rows: usize,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn {
    /// The name.
    pub name: String,
    /// One value for each row.
    pub values: Values,
}

/// The values of a column; nothing stands for a missing one.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Positions in a list of categories.
    Categorical {
        /// The categories.
        categories: Arc<[String]>,
        /// The positions.
        positions: Vec<Option<u16>>,
    },
    /// Days.
    Date(Vec<Option<NaiveDate>>),
    /// Numbers with a fraction.
    Float(Vec<Option<f64>>),
    /// Made-up identifiers.
    Identifier(Vec<String>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Days with a time.
    Timestamp(Vec<Option<NaiveDateTime>>),
}

impl Table {
    /// Draws a table of codes, which come row by row. Every value is in its domain.
    ///
    /// `uniform` gives numbers in [0, 1), and is asked once for every number, day and time, column by
    /// column; those that follow another come last.
    ///
    /// # Panics
    /// When the codes do not fill whole rows, or a code is beyond its column's last one.
    #[must_use]
    pub fn decode(schema: &Schema, codes: &[u16], uniform: &mut dyn FnMut() -> f64) -> Self {
        let width = schema.columns().len();
        assert!(
            codes.len().is_multiple_of(width),
            "codes that do not fill whole rows"
        );
        let rows = codes.len() / width;
        let mut table = Self::with_capacity(schema, rows);
        table.rows = rows;
        for (index, coder) in schema.coders().iter().enumerate() {
            if coder.follows().is_none() {
                let codes = codes.iter().skip(index).step_by(width);
                table.columns[index].values.decode(coder, codes, uniform);
            }
        }
        for (index, coder) in schema.coders().iter().enumerate() {
            let Some(bases) = coder.follows() else {
                continue;
            };
            let mut values = Values::with_capacity(&schema.columns()[index].domain, rows);
            for (row, code) in codes.iter().skip(index).step_by(width).enumerate() {
                let base = bases.iter().try_fold(0i64, |sum, &base| {
                    let step = schema.coders()[base].step(table.columns[base].values.cell(row));
                    sum.checked_add(step?)
                });
                values.push(coder.decode_after(base, *code, uniform()));
            }
            table.columns[index].values = values;
        }
        table
    }

    /// A table of a schema that has no rows yet.
    pub(crate) fn without_rows(schema: &Schema) -> Self {
        Self::with_capacity(schema, 0)
    }

    fn with_capacity(schema: &Schema, rows: usize) -> Self {
        let columns = schema.columns().iter().map(|column| TableColumn {
            name: column.name.clone(),
            values: Values::with_capacity(&column.domain, rows),
        });
        Self {
            columns: columns.collect(),
            rows: 0,
        }
    }

    /// Returns the columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the table as a data frame with the types String, Int64, Float64, Date and Datetime in
    /// milliseconds.
    #[must_use]
    pub fn to_dataframe(&self) -> DataFrame {
        let columns: PolarsResult<Vec<FrameColumn>> =
            self.columns.iter().map(TableColumn::to_frame).collect();
        columns
            .and_then(|columns| DataFrame::new(self.rows, columns))
            // OK because the columns have the same length and the names of a schema, each once.
            .expect("the columns of a table make a data frame")
    }

    /// Takes the schema's columns, in its order, from a data frame.
    ///
    /// Numbers are rounded to the declared decimals. Values may lie outside their bounds, or be
    /// missing where they must not be: [`Table::conforms`] tells.
    ///
    /// # Errors
    /// When columns are missing or unexpected, or a cell is no value of its column's kind or none
    /// of its categories.
    pub fn from_dataframe(frame: &DataFrame, schema: &Schema) -> Result<Self, TableError> {
        let names: Vec<&str> = frame
            .columns()
            .iter()
            .map(|column| column.name().as_str())
            .collect();
        let missing = schema.names().filter(|name| !names.contains(name));
        let unexpected = names.iter().filter(|name| schema.position(name).is_none());
        let missing: Vec<String> = missing.map(str::to_owned).collect();
        let unexpected: Vec<String> = unexpected.map(|name| (*name).to_owned()).collect();
        if !missing.is_empty() || !unexpected.is_empty() {
            return Err(TableError::WrongHeader {
                missing,
                unexpected,
            });
        }
        let wrong_type = |_| TableError::WrongType {
            column: names[0].to_owned(),
        };
        let batch = Batch::Frame {
            columns: frame.select(schema.names()).map_err(wrong_type)?,
            before: 0,
        };
        let mut table = Self::with_capacity(schema, frame.height());
        table.append(&batch, schema)?;
        Ok(table)
    }

    /// Adds rows, rounded and of their columns' kinds as in [`from_dataframe`](Self::from_dataframe).
    pub(crate) fn append(&mut self, batch: &Batch, schema: &Schema) -> Result<(), TableError> {
        self.append_as(batch, schema, Coder::value_of)
    }

    /// Adds rows; `value` says what a cell becomes.
    pub(crate) fn append_as(
        &mut self,
        batch: &Batch,
        schema: &Schema,
        value: for<'a> fn(&'a Coder, Cell<'a>) -> Result<Cell<'a>, CellProblem>,
    ) -> Result<(), TableError> {
        let coders = schema.columns().iter().zip(schema.coders());
        for (index, ((column, coder), made)) in coders.zip(&mut self.columns).enumerate() {
            let (name, domain) = (&column.name, Some(&column.domain));
            batch.for_each_cell(index, name, domain, index + 1, |_, cell| {
                made.values.take(value(coder, cell)?, coder)
            })?;
        }
        self.rows += batch.rows();
        Ok(())
    }

    /// Puts a column of made-up identifiers before the column at `position`.
    ///
    /// # Panics
    /// When there is not one identifier for each row, or `position` is beyond the last column.
    #[must_use]
    pub fn with_identifiers(mut self, position: usize, name: &str, texts: Vec<String>) -> Self {
        assert_eq!(texts.len(), self.rows, "one identifier for each row");
        let column = TableColumn {
            name: name.to_owned(),
            values: Values::Identifier(texts),
        };
        self.columns.insert(position, column);
        self
    }

    /// Checks that the table has the schema's columns, in its order, and only values of their
    /// domains: within the bounds, with no more than the declared decimals, missing only where
    /// that is allowed.
    ///
    /// # Errors
    /// The first departure, by column and record.
    pub fn conforms(&self, schema: &Schema) -> Result<(), TableError> {
        if !schema
            .names()
            .eq(self.columns.iter().map(|column| column.name.as_str()))
        {
            let has = |name: &str| self.columns.iter().any(|column| column.name == name);
            let missing = schema.names().filter(|name| !has(name)).map(str::to_owned);
            let names = self.columns.iter().map(|column| &column.name);
            let unexpected = names
                .filter(|name| schema.position(name).is_none())
                .cloned();
            return Err(TableError::WrongHeader {
                missing: missing.collect(),
                unexpected: unexpected.collect(),
            });
        }
        for ((column, declared), coder) in self
            .columns
            .iter()
            .zip(schema.columns())
            .zip(schema.coders())
        {
            let allowed = match declared.missing {
                Missing::Allowed => Ok(()),
                Missing::Refused => Err(CellProblem::Missing),
            };
            let fault = match (&column.values, &declared.domain) {
                (
                    Values::Categorical {
                        categories: own,
                        positions,
                    },
                    Domain::Categorical { categories },
                ) if **own == **categories => first_fault(positions, |position| {
                    position.map_or(allowed, |position| {
                        match usize::from(position) < categories.len() {
                            true => Ok(()),
                            false => Err(CellProblem::NotListed),
                        }
                    })
                }),
                (Values::Date(dates), Domain::Date { min, max, .. }) => {
                    first_fault(dates, |date| {
                        date.map_or(allowed, |date| inside(date, *min, *max))
                    })
                }
                (Values::Identifier(texts), Domain::Identifier { format }) => {
                    let fault = texts.iter().position(|text| !format.matches(text));
                    fault.map(|row| (row, CellProblem::NotInFormat))
                }
                (
                    Values::Integer(numbers),
                    Domain::Duration { min, max, .. } | Domain::Integer { min, max, .. },
                ) => first_fault(numbers, |number| {
                    number.map_or(allowed, |number| inside(number, *min, *max))
                }),
                (Values::Float(numbers), Domain::Float { min, max, .. }) => {
                    first_fault(numbers, |number| {
                        let Some(number) = number else { return allowed };
                        if !number.is_finite() {
                            return Err(CellProblem::NotANumber);
                        }
                        inside(number, *min, *max)?;
                        match coder.nearest(number) == number {
                            true => Ok(()),
                            false => Err(CellProblem::NotWhole),
                        }
                    })
                }
                (Values::Timestamp(instants), Domain::Timestamp { min, max, .. }) => {
                    first_fault(instants, |instant| {
                        instant.map_or(allowed, |instant| inside(instant, *min, *max))
                    })
                }
                _ => {
                    return Err(TableError::WrongType {
                        column: column.name.clone(),
                    });
                }
            };
            if let Some((row, problem)) = fault {
                return Err(TableError::of_cell(&column.name, row, problem));
            }
        }
        Ok(())
    }
}

impl TableColumn {
    fn to_frame(&self) -> PolarsResult<FrameColumn> {
        let name = self.name.as_str();
        let series = match &self.values {
            Values::Categorical {
                categories,
                positions,
            } => {
                let text = |position: u16| categories[usize::from(position)].as_str();
                let texts: Vec<Option<&str>> = positions
                    .iter()
                    .map(|position| position.map(text))
                    .collect();
                Series::new(name.into(), texts)
            }
            Values::Date(dates) => {
                let days: Vec<Option<i32>> = dates
                    .iter()
                    .map(|date| date.map(|date| date.to_epoch_days()))
                    .collect();
                series::dates(name, &days)?
            }
            Values::Float(numbers) => Series::new(name.into(), numbers.as_slice()),
            Values::Identifier(texts) => Series::new(name.into(), texts.as_slice()),
            Values::Integer(numbers) => Series::new(name.into(), numbers.as_slice()),
            Values::Timestamp(instants) => {
                series::instants(name, instants.iter().map(|it| it.map(seconds_of)))?
            }
        };
        Ok(series.into())
    }
}

impl Values {
    fn with_capacity(domain: &Domain, rows: usize) -> Self {
        match domain {
            Domain::Categorical { categories } => Self::Categorical {
                categories: categories.clone().into(),
                positions: Vec::with_capacity(rows),
            },
            Domain::Date { .. } => Self::Date(Vec::with_capacity(rows)),
            Domain::Float { .. } => Self::Float(Vec::with_capacity(rows)),
            Domain::Identifier { .. } => Self::Identifier(Vec::with_capacity(rows)),
            Domain::Duration { .. } | Domain::Integer { .. } => {
                Self::Integer(Vec::with_capacity(rows))
            }
            Domain::Timestamp { .. } => Self::Timestamp(Vec::with_capacity(rows)),
        }
    }

    /// Adds a value for each code.
    fn decode<'a>(
        &mut self,
        coder: &Coder,
        codes: impl Iterator<Item = &'a u16>,
        uniform: &mut dyn FnMut() -> f64,
    ) {
        match self {
            Self::Categorical { positions, .. } => positions.extend(codes.map(|&code| {
                assert!(
                    u32::from(code) < coder.codes(),
                    "a code beyond the last one"
                );
                (Some(code) != coder.missing_code()).then_some(code)
            })),
            Self::Identifier(_) => codes.for_each(|&code| self.push(coder.decode(code, 0.0))),
            _ => codes.for_each(|&code| self.push(coder.decode(code, uniform()))),
        }
    }

    /// Adds a cell that was drawn; one of another kind than the column's counts as missing.
    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Categorical { positions, .. }, _) => positions.push(None),
            (Self::Date(dates), Cell::Date(date)) => dates.push(Some(date)),
            (Self::Date(dates), _) => dates.push(None),
            (Self::Float(numbers), Cell::Float(number)) => numbers.push(Some(number)),
            (Self::Float(numbers), _) => numbers.push(None),
            (Self::Identifier(texts), Cell::Text(text)) => texts.push(text.to_owned()),
            // Never called: an identifier cannot be missing, and no text is none.
            (Self::Identifier(texts), _) => texts.push(String::new()),
            (Self::Integer(numbers), Cell::Integer(number)) => numbers.push(Some(number)),
            (Self::Integer(numbers), _) => numbers.push(None),
            (Self::Timestamp(instants), Cell::Instant(instant)) => instants.push(Some(instant)),
            (Self::Timestamp(instants), _) => instants.push(None),
        }
    }

    /// Adds a cell that was read, of the column's kind.
    fn take(&mut self, cell: Cell<'_>, coder: &Coder) -> Result<(), CellProblem> {
        match (self, cell) {
            (Self::Categorical { positions, .. }, Cell::Text(text)) => {
                let position = coder.position(text).ok_or(CellProblem::NotListed)?;
                positions.push(Some(position));
            }
            (Self::Float(numbers), Cell::Float(number)) => {
                numbers.push(Some(coder.nearest(number)));
            }
            (Self::Identifier(_), Cell::Missing) => return Err(CellProblem::Missing),
            (values, cell) => values.push(cell),
        }
        Ok(())
    }

    /// The value of a row, where it is a number, a day or a time.
    fn cell(&self, row: usize) -> Cell<'_> {
        let cell = match self {
            Self::Categorical { .. } | Self::Identifier(_) => None,
            Self::Date(dates) => dates[row].map(Cell::Date),
            Self::Float(numbers) => numbers[row].map(Cell::Float),
            Self::Integer(numbers) => numbers[row].map(Cell::Integer),
            Self::Timestamp(instants) => instants[row].map(Cell::Instant),
        };
        cell.unwrap_or(Cell::Missing)
    }
}

fn inside<T: PartialOrd>(value: T, min: T, max: T) -> Result<(), CellProblem> {
    within(value, min, max).map(|_| ())
}

fn first_fault<T: Copy>(
    values: &[T],
    check: impl Fn(T) -> Result<(), CellProblem>,
) -> Option<(usize, CellProblem)> {
    let mut faults = values.iter().enumerate();
    faults.find_map(|(row, value)| check(*value).err().map(|problem| (row, problem)))
}
