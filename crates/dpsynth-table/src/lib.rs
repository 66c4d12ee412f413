//! Tables whose every cell is known to lie in its declared domain.
//!
//! A [`Schema`] is what the owner of a table declares in public: names, kinds, bounds, categories,
//! tokens for missing values. [`read`] brings a CSV, Parquet or Arrow file into small integer codes under
//! that schema, or stops with an error that names column and record. [`Table::decode`] turns codes
//! back into values of the domain, and [`write()`] writes them.
//!
//! ```text
//!             Schema                         Schema
//!               │                              │
//! file ─ read ──┴─▶ CodedTable    codes ─ decode ─▶ Table ─ conforms, write ─▶ file
//!                   (private)   (released)          (public)
//! ```
//!
//! What this crate does **not** do: it knows no privacy. Whoever reads private records keeps the
//! codes inside the boundary. It learns nothing from data, neither bounds nor categories, and it
//! has no randomness of its own: decoding is given the numbers that it needs.
//!
//! No error holds a cell. The messages of polars may quote the file, so they are dropped.
//!
//! # Example
//!
//! ```
//! use dpsynth_table::{Cells, Column, Domain, Missing, OutOfDomain, Schema, Table};
//!
//! let age = Column {
//!     name: "age".to_owned(),
//!     domain: Domain::Integer { min: 17, max: 90, cells: Cells::Linear { count: 37 } },
//!     missing: Missing::Refused,
//!     out_of_domain: OutOfDomain::Clip,
//!     missing_tokens: vec![],
//!     after: None,
//! };
//! let schema = Schema::new(vec![age]).map_err(|findings| findings[0].clone())?;
//! let table = Table::decode(&schema, &[0, 36], &mut || 0.5);
//! assert_eq!(table.rows(), 2);
//! assert!(table.conforms(&schema).is_ok());
//! # Ok::<(), dpsynth_table::SchemaError>(())
//! ```
//!
//! # Main types
//!
//! | type | what it is |
//! |---|---|
//! | [`Schema`], [`Column`], [`Domain`], [`Cells`] | what is declared; exists only if it is consistent |
//! | [`Coder`], [`Grid`], [`Cell`] | cells to codes and back, for one column |
//! | [`CodedTable`] | a table as codes, row by row |
//! | [`Table`] | a public table with typed columns, to and from polars |
//! | [`Format`], [`Dialect`], [`TableWriter`] | how files are written, and a file that is being written |
//! | [`SchemaError`], [`TableError`], [`WriteError`] | what is wrong, each with a stable code |

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod batch;
mod coded;
mod columnar;
mod csv;
mod csv_text;
mod decode;
mod duration;
mod encode;
mod error;
mod file;
mod format;
mod grid;
mod identifier;
mod kind;
mod memo;
mod owner;
mod read;
mod scan;
mod schema;
mod schema_error;
mod series;
mod spacing;
mod table;
mod text;
mod write;

pub use duration::DurationForm;
pub use encode::{Cell, CellProblem, Coder};
pub use error::{TableError, WriteError};
pub use format::{Dialect, Encoding, Format};
pub use grid::{Grid, MAX_CODES, MAX_DECIMALS};
pub use identifier::{IdFormat, IdFormatError};
pub use owner::OwnerColumn;
pub use read::{
    CodedTable, ColumnCells, ColumnValues, OwnedTable, ReadOptions, read, read_column, read_header,
    read_owned, read_table, read_unprotected,
};
pub use schema::{After, Cells, Column, Domain, Missing, OutOfDomain, Schema};
pub use schema_error::{SchemaError, SchemaProblem};
pub use table::{Table, TableColumn, Values};
pub use text::parse_time;
pub use write::{TableWriter, write};
