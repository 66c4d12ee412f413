//! Cells to codes and back.
//!
//! A code is the index of a category, or of a cell of the column's [`Grid`]. Where values may be
//! missing, the last code stands for that.

use chrono::{NaiveDate, NaiveDateTime};
use thiserror::Error;

use crate::grid::{Grid, MAX_CODES};
use crate::kind::Kind;
use crate::schema::{After, Cells, Column, Domain, Missing, OutOfDomain};
use crate::schema_error::SchemaProblem;
use crate::text::{date_of, number};

/// The content of one cell of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// A day.
    Date(NaiveDate),
    /// A number that may have a fraction.
    Float(f64),
    /// A day with a time.
    Instant(NaiveDateTime),
    /// A whole number.
    Integer(i64),
    /// Nothing.
    Missing,
    /// A text, read as the column's domain says; it may be a token for a missing value.
    Text(&'a str),
}

/// Why a cell cannot be a value of its column. Never holds the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CellProblem {
    /// Above the upper bound.
    #[error("is above the declared maximum")]
    AboveMaximum,
    /// Below the lower bound.
    #[error("is below the declared minimum")]
    BelowMinimum,
    /// Missing where that is not allowed.
    #[error("is missing, which the column does not allow")]
    Missing,
    /// Not a date in the declared format.
    #[error("is not a date in the declared format")]
    NotADate,
    /// Not a length of time in the declared format.
    #[error("is not a length of time in the declared format")]
    NotADuration,
    /// Not a finite number.
    #[error("is not a finite number")]
    NotANumber,
    /// Not an identifier in the declared format.
    #[error("is not an identifier in the declared format")]
    NotInFormat,
    /// Not one of the categories.
    #[error("is not one of the listed categories")]
    NotListed,
    /// A number with a fraction, or more decimals than declared.
    #[error("has more decimals than the column allows")]
    NotWhole,
    /// Further after the value that it follows than declared.
    #[error("is further after the cell that it follows than is declared")]
    TooFar,
    /// Before the value that it follows, or less after it than declared.
    #[error("is before the cell that it follows, or less after it than is declared")]
    TooNear,
}

/// What a cell means on its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meaning {
    /// The number of steps of what it becomes, nothing where that is no value.
    pub(crate) step: Option<i64>,
    /// The code as it stands, nothing for a missing cell.
    pub(crate) code: Result<Option<u16>, CellProblem>,
}

/// The most steps that a distance may have; all of them are exact floats.
const MOST_STEPS: f64 = 1e15;

/// Turns the cells of one column into codes, and codes into cells.
#[derive(Debug, Clone)]
pub struct Coder {
    kind: Kind,
    missing: Missing,
    missing_tokens: Vec<String>,
    /// The tokens that are numbers, for tables whose numbers do not come as text.
    missing_numbers: Vec<f64>,
    out_of_domain: OutOfDomain,
    /// The code of the category that stands for all that are not listed.
    bucket: Option<u16>,
    gap: Option<Gap>,
}

/// The distances to the columns that another follows, in steps.
#[derive(Debug, Clone)]
struct Gap {
    bases: Vec<usize>,
    grid: Grid,
}

impl Coder {
    /// Works out the codes of a column, or all that is wrong with it.
    pub(crate) fn new(column: &Column) -> Result<Self, Vec<SchemaProblem>> {
        let mut problems = Vec::new();
        let categorical = matches!(column.domain, Domain::Categorical { .. });
        if column.out_of_domain == OutOfDomain::Clip && categorical {
            problems.push(SchemaProblem::ClipOnCategories);
        }
        if column.out_of_domain == OutOfDomain::BecomesMissing && column.missing == Missing::Refused
        {
            problems.push(SchemaProblem::BecomesMissingNeedsMissing);
        }
        let kind = match Kind::new(&column.domain) {
            Ok(kind) => kind,
            Err(found) => {
                problems.extend(found);
                return Err(problems);
            }
        };
        for token in &column.missing_tokens {
            if matches!(kind.code_of(Cell::Text(token)), Ok(Some(_))) {
                let token = token.clone();
                problems.push(SchemaProblem::MissingTokenIsValue { token });
            }
        }
        let empty_is_value = matches!(kind.code_of(Cell::Text("")), Ok(Some(_)));
        let missing_text_is_empty = column.missing_tokens.is_empty();
        if column.missing == Missing::Allowed && empty_is_value && missing_text_is_empty {
            problems.push(SchemaProblem::NoMissingText);
        }
        let bucket = match &column.out_of_domain {
            OutOfDomain::BecomesCategory(category) => {
                let code = kind.code_of(Cell::Text(category));
                let code = code.ok().flatten().filter(|_| categorical);
                if code.is_none() {
                    problems.push(SchemaProblem::BucketNotListed);
                }
                code
            }
            _ => None,
        };
        let coder = Self {
            kind,
            bucket,
            gap: None,
            missing: column.missing,
            missing_tokens: column.missing_tokens.clone(),
            missing_numbers: column
                .missing_tokens
                .iter()
                .flat_map(|token| number(token))
                .collect(),
            out_of_domain: column.out_of_domain.clone(),
        };
        if coder.codes() > MAX_CODES {
            problems.push(SchemaProblem::TooManyCodes);
        }
        match problems.is_empty() {
            true => Ok(coder),
            false => Err(problems),
        }
    }

    /// Returns the number of codes, at least 1 and at most [`MAX_CODES`].
    #[must_use]
    pub fn codes(&self) -> u32 {
        self.values() + u32::from(self.missing == Missing::Allowed)
    }

    /// The number of codes that stand for values.
    fn values(&self) -> u32 {
        match &self.gap {
            Some(gap) => gap.grid.cells(),
            None => self.kind.count(),
        }
    }

    /// Returns the positions of the columns that this one follows. Its codes then stand for distances.
    #[must_use]
    pub fn follows(&self) -> Option<&[usize]> {
        self.gap.as_ref().map(|gap| gap.bases.as_slice())
    }

    /// Makes codes stand for distances to the values of other columns.
    pub(crate) fn follow(
        &mut self,
        bases: Vec<usize>,
        first: &[Self],
        after: &After,
    ) -> Result<(), SchemaProblem> {
        let of_time = matches!(self.kind, Kind::Date { .. } | Kind::Timestamp { .. });
        if of_time && bases.len() > 1 {
            return Err(SchemaProblem::AfterKind);
        }
        let scales = first.iter().map(|it| self.kind.steps_between(&it.kind));
        let scales: Option<Vec<f64>> = scales.collect();
        // All are the same: each is that of this column.
        let scale = scales.and_then(|it| it.first().copied());
        let scale = scale.ok_or(SchemaProblem::AfterKind)?;
        let [low, high] = [after.at_least, after.at_most].map(|distance| {
            let steps = (distance * scale).round();
            let exact = (steps / scale - distance).abs() <= 1e-9 * distance.abs().max(1.0);
            (exact && (0.0..=MOST_STEPS).contains(&steps)).then_some(steps as i64)
        });
        let (low, high) = low.zip(high).ok_or(SchemaProblem::AfterBounds)?;
        if low > high {
            return Err(SchemaProblem::AfterBounds);
        }
        let grid = Grid::integers(low, high, &Cells::Fine)?;
        if grid.cells() + u32::from(self.missing == Missing::Allowed) > MAX_CODES {
            return Err(SchemaProblem::TooManyCodes);
        }
        self.gap = Some(Gap { bases, grid });
        Ok(())
    }

    /// Returns the code of missing values, where they are allowed.
    #[must_use]
    pub fn missing_code(&self) -> Option<u16> {
        // OK because there are at most `MAX_CODES` codes, this one included.
        (self.missing == Missing::Allowed).then(|| self.values() as u16)
    }

    /// Returns the cells of a numeric column or one of days or times: of its values, or of its distances
    /// where it follows another.
    #[must_use]
    pub fn grid(&self) -> Option<&Grid> {
        match &self.gap {
            Some(gap) => Some(&gap.grid),
            None => self.kind.grid(),
        }
    }

    /// Returns the number nearest to `value` that the column can hold.
    pub(crate) fn nearest(&self, value: f64) -> f64 {
        self.kind.grid().map_or(value, |grid| grid.nearest(value))
    }

    /// Returns the number of steps of what a cell becomes, nothing where that is no value.
    pub(crate) fn step(&self, cell: Cell<'_>) -> Option<i64> {
        self.step_of(cell, self.code_of(cell))
    }

    /// As [`step`](Self::step), where the code is known.
    fn step_of(&self, cell: Cell<'_>, code: Result<Option<u16>, CellProblem>) -> Option<i64> {
        let bounds = || self.kind.grid().map(Grid::step_bounds);
        match (code, &self.out_of_domain) {
            (Ok(Some(_)), _) => self.kind.step(self.value_of(cell).ok()?),
            (Err(CellProblem::BelowMinimum), OutOfDomain::Clip) => bounds().map(|(low, _)| low),
            (Err(CellProblem::AboveMaximum), OutOfDomain::Clip) => bounds().map(|(_, high)| high),
            (Ok(None) | Err(_), _) => None,
        }
    }

    /// Returns the code of a cell, after what the column says about cells outside its domain.
    ///
    /// # Errors
    /// When the cell is missing and must not be, or is outside the domain and neither clipped nor
    /// made missing.
    pub fn encode(&self, cell: Cell<'_>) -> Result<u16, CellProblem> {
        self.fated(self.code_of(cell))
    }

    /// What a cell means on its own, for the distances between columns.
    pub(crate) fn meaning(&self, cell: Cell<'_>) -> Meaning {
        let code = self.code_of(cell);
        Meaning {
            step: self.step_of(cell, code),
            code,
        }
    }

    /// As [`encode`](Self::encode), for a column that follows others, whose values have `base` steps
    /// together or one of which is missing.
    pub(crate) fn encode_after(
        &self,
        base: Option<i64>,
        meaning: Meaning,
    ) -> Result<u16, CellProblem> {
        let Some(gap) = &self.gap else {
            return self.fated(meaning.code);
        };
        // The value itself obeys its column first: one that is clipped is as far away as its bound.
        let step = match (meaning.step, meaning.code) {
            (None, Err(problem)) => Err(problem),
            (step, _) => Ok(step),
        };
        let code = match (base, step) {
            // A value after a missing one cannot be said.
            (None, Ok(_)) | (_, Ok(None)) => Ok(None),
            (_, Err(problem)) => Err(problem),
            (Some(base), Ok(Some(step))) => {
                let (low, high) = gap.grid.step_bounds();
                match step.saturating_sub(base) {
                    distance if distance < low => Err(CellProblem::TooNear),
                    distance if distance > high => Err(CellProblem::TooFar),
                    // OK because there are at most `MAX_CODES` cells.
                    distance => Ok(Some(gap.grid.cell_of_step(distance) as u16)),
                }
            }
        };
        self.fated(code)
    }

    /// The code of a cell, after what the column says about cells outside its domain.
    fn fated(&self, code: Result<Option<u16>, CellProblem>) -> Result<u16, CellProblem> {
        let problem = match code {
            Ok(Some(code)) => return Ok(code),
            Ok(None) => return self.missing_code().ok_or(CellProblem::Missing),
            Err(problem) => problem,
        };
        match (&self.out_of_domain, problem) {
            (OutOfDomain::BecomesMissing, _) => self.missing_code().ok_or(problem),
            (OutOfDomain::BecomesCategory(_), _) => self.bucket.ok_or(problem),
            (OutOfDomain::Clip, CellProblem::BelowMinimum | CellProblem::TooNear) => Ok(0),
            // OK because there are at most `MAX_CODES` codes, and at least one of a value.
            (OutOfDomain::Clip, CellProblem::AboveMaximum | CellProblem::TooFar) => {
                Ok((self.values() - 1) as u16)
            }
            (OutOfDomain::Clip | OutOfDomain::Stop, problem) => Err(problem),
        }
    }

    /// Reads a cell as a value of the domain, after what the column says about cells outside it; how far
    /// it is from the columns that it follows is not asked.
    ///
    /// # Errors
    /// As [`Coder::encode`].
    pub(crate) fn settle<'a>(&'a self, cell: Cell<'a>) -> Result<Cell<'a>, CellProblem> {
        let problem = match self.code_of(cell) {
            Ok(Some(_)) => return self.value_of(cell),
            Ok(None) if self.missing == Missing::Allowed => return Ok(Cell::Missing),
            Ok(None) => return Err(CellProblem::Missing),
            Err(problem) => problem,
        };
        match &self.out_of_domain {
            OutOfDomain::BecomesMissing => Ok(Cell::Missing),
            OutOfDomain::BecomesCategory(bucket) => Ok(Cell::Text(bucket)),
            OutOfDomain::Clip => self.bound(problem),
            OutOfDomain::Stop => Err(problem),
        }
    }

    /// The bound beyond which a cell lies.
    fn bound(&self, problem: CellProblem) -> Result<Cell<'static>, CellProblem> {
        let grid = self.kind.grid().ok_or(problem)?;
        // The bounds are the ends of the first and of the last cell.
        let (cell, at) = match problem {
            CellProblem::BelowMinimum => (0, 0.0),
            CellProblem::AboveMaximum => (grid.cells() - 1, 1.0 - f64::EPSILON),
            problem => return Err(problem),
        };
        Ok(match &self.kind {
            Kind::Float { grid, .. } => Cell::Float(grid.draw(cell, at)),
            kind => kind.value_of_step(grid.draw_step(cell, at)),
        })
    }

    /// Draws a cell of a code, evenly over the values that the code stands for. Where the column
    /// follows another, that is a distance, in steps.
    ///
    /// `uniform` is in [0, 1). The cell is always in the domain, and encodes to the same code.
    ///
    /// # Panics
    /// When the column has no such code.
    #[must_use]
    pub fn decode(&self, code: u16, uniform: f64) -> Cell<'_> {
        if self.missing_code() == Some(code) {
            return Cell::Missing;
        }
        assert!(
            u32::from(code) < self.values(),
            "a code beyond the column's last one"
        );
        let cell = u32::from(code);
        if let Some(gap) = &self.gap {
            return Cell::Integer(gap.grid.draw_step(cell, uniform));
        }
        match &self.kind {
            Kind::Categorical { categories, .. } => Cell::Text(&categories[usize::from(code)]),
            Kind::Identifier { first, .. } => Cell::Text(first),
            // OK because steps of the grid lie between two dates.
            Kind::Date { grid, .. } => {
                date_of(grid.draw_step(cell, uniform)).map_or(Cell::Missing, Cell::Date)
            }
            Kind::Float { grid, .. } => Cell::Float(grid.draw(cell, uniform)),
            Kind::Duration { grid, .. } | Kind::Integer { grid, .. } => {
                Cell::Integer(grid.draw_step(cell, uniform))
            }
            Kind::Timestamp { grid, .. } => self.kind.value_of_step(grid.draw_step(cell, uniform)),
        }
    }

    /// Draws a cell of a code of a column that follows others, whose values have `base` steps together.
    /// It is missing where one of them is, and never past the column's bounds.
    pub(crate) fn decode_after(&self, base: Option<i64>, code: u16, uniform: f64) -> Cell<'_> {
        match (base, self.decode(code, uniform)) {
            (Some(base), Cell::Integer(distance)) => {
                self.kind.value_of_step(base.saturating_add(distance))
            }
            _ => Cell::Missing,
        }
    }

    /// The code of a cell as it stands, nothing for a missing one.
    pub(crate) fn code_of(&self, cell: Cell<'_>) -> Result<Option<u16>, CellProblem> {
        match cell {
            Cell::Text(text) if self.is_missing_token(text) => Ok(None),
            Cell::Integer(value) if self.missing_numbers.contains(&(value as f64)) => Ok(None),
            Cell::Float(value) if self.missing_numbers.contains(&value) => Ok(None),
            cell => self.kind.code_of(cell),
        }
    }

    /// Reads a cell as a value of the column's kind, inside the domain or not.
    pub(crate) fn value_of<'a>(&self, cell: Cell<'a>) -> Result<Cell<'a>, CellProblem> {
        match cell {
            Cell::Text(text) if self.is_missing_token(text) => Ok(Cell::Missing),
            cell => self.kind.value_of(cell),
        }
    }

    /// The position of a category.
    pub(crate) fn position(&self, category: &str) -> Option<u16> {
        match &self.kind {
            Kind::Categorical { positions, .. } => positions.get(category).copied(),
            _ => None,
        }
    }

    fn is_missing_token(&self, text: &str) -> bool {
        self.missing_tokens.iter().any(|token| token == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn coder(domain: Domain, out_of_domain: OutOfDomain) -> Coder {
        let column = Column {
            name: "x".to_owned(),
            domain,
            missing: match out_of_domain {
                OutOfDomain::BecomesMissing => Missing::Allowed,
                _ => Missing::Refused,
            },
            out_of_domain,
            missing_tokens: vec!["?".to_owned(), "-9".to_owned()],
            after: None,
        };
        Coder::new(&column).expect("a valid column")
    }

    fn ages(out_of_domain: OutOfDomain) -> Coder {
        let cells = Cells::Each;
        coder(
            Domain::Integer {
                min: 10,
                max: 19,
                cells,
            },
            out_of_domain,
        )
    }

    fn day(text: &str) -> NaiveDate {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").expect("a date")
    }

    #[test]
    fn numbers_are_read_from_text() {
        let coder = ages(OutOfDomain::Stop);
        for text in ["12", " 12 ", "12.0", "+12", "1.2e1", "\t12\r"] {
            assert_eq!(coder.encode(Cell::Text(text)), Ok(2), "{text:?}");
        }
        for (text, problem) in [
            ("9", CellProblem::BelowMinimum),
            ("20", CellProblem::AboveMaximum),
            ("1e300", CellProblem::AboveMaximum),
            ("-99999999999999999999", CellProblem::BelowMinimum),
            ("12.5", CellProblem::NotWhole),
            ("twelve", CellProblem::NotANumber),
            ("12,0", CellProblem::NotANumber),
            ("NaN", CellProblem::NotANumber),
            ("inf", CellProblem::NotANumber),
            ("1e999", CellProblem::NotANumber),
            ("", CellProblem::Missing),
            ("  ", CellProblem::Missing),
            ("?", CellProblem::Missing),
        ] {
            assert_eq!(coder.encode(Cell::Text(text)), Err(problem), "{text:?}");
        }
    }

    #[test]
    fn clipping_moves_numbers_only() {
        let coder = ages(OutOfDomain::Clip);
        assert_eq!(coder.encode(Cell::Text("9")), Ok(0));
        assert_eq!(coder.encode(Cell::Text("1e300")), Ok(9));
        assert_eq!(coder.encode(Cell::Float(-1e300)), Ok(0));
        let problem = Err(CellProblem::NotANumber);
        assert_eq!(coder.encode(Cell::Text("x")), problem);
        assert_eq!(coder.encode(Cell::Float(f64::INFINITY)), problem);
        assert_eq!(coder.encode(Cell::Float(f64::NAN)), problem);
        assert_eq!(coder.encode(Cell::Missing), Err(CellProblem::Missing));
    }

    #[test]
    fn what_is_outside_may_become_missing() {
        let coder = ages(OutOfDomain::BecomesMissing);
        assert_eq!((coder.codes(), coder.missing_code()), (11, Some(10)));
        for text in ["9", "20", "x", "NaN", "12.5", "", "?", "-9"] {
            assert_eq!(coder.encode(Cell::Text(text)), Ok(10), "{text:?}");
        }
        assert_eq!(coder.decode(10, 0.5), Cell::Missing);
    }

    #[test]
    fn missing_tokens_hold_for_numbers_that_come_as_numbers() {
        let coder = ages(OutOfDomain::Stop);
        assert_eq!(coder.encode(Cell::Integer(-9)), Err(CellProblem::Missing));
        assert_eq!(coder.encode(Cell::Float(-9.0)), Err(CellProblem::Missing));
        assert_eq!(
            coder.encode(Cell::Integer(-8)),
            Err(CellProblem::BelowMinimum)
        );
    }

    #[test]
    fn categories_are_exact_texts() {
        let categories = ["a", " a", "", "ä"].map(str::to_owned).to_vec();
        let coder = coder(
            Domain::Categorical { categories },
            OutOfDomain::BecomesMissing,
        );
        for (code, text) in ["a", " a", "", "ä"].into_iter().enumerate() {
            assert_eq!(coder.encode(Cell::Text(text)), Ok(code as u16));
            assert_eq!(coder.decode(code as u16, 0.3), Cell::Text(text));
        }
        assert_eq!(coder.encode(Cell::Text("?")), Ok(4));
        assert_eq!(coder.encode(Cell::Text("A")), Ok(4));
    }

    #[test]
    fn dates_ignore_the_time_of_day() {
        let domain = Domain::Date {
            min: day("2019-02-28"),
            max: day("2019-04-01"),
            format: "%Y-%m-%d %H:%M:%S".to_owned(),
            cells: Cells::Each,
        };
        let coder = coder(domain, OutOfDomain::Clip);
        assert_eq!(coder.codes(), 33);
        assert_eq!(coder.encode(Cell::Text("2019-03-01 23:59:59")), Ok(1));
        assert_eq!(coder.encode(Cell::Text("2020-03-01 23:59:59")), Ok(32));
        assert_eq!(coder.encode(Cell::Date(day("1819-03-01"))), Ok(0));
        assert_eq!(
            coder.encode(Cell::Text("2019-03-01")),
            Err(CellProblem::NotADate)
        );
        assert_eq!(
            coder.encode(Cell::Text("2019-02-30 00:00:00")),
            Err(CellProblem::NotADate)
        );
        assert_eq!(coder.decode(1, 0.99), Cell::Date(day("2019-03-01")));
    }

    proptest! {
        #[test]
        fn every_value_encodes_and_its_code_decodes_to_the_same_code(
            value in -1000i64..=5000, count in 1u32..80, uniform in 0.0..1.0f64,
        ) {
            let cells = Cells::Log { count };
            let coder = coder(Domain::Integer { min: -8, max: 5000, cells }, OutOfDomain::Clip);
            let code = coder.encode(Cell::Integer(value));
            prop_assume!(value != -9);
            let code = code.unwrap();
            let cell = coder.decode(code, uniform);
            prop_assert!(matches!(cell, Cell::Integer(drawn) if (-8..=5000).contains(&drawn)));
            prop_assert_eq!(coder.encode(cell), Ok(code));
        }

        #[test]
        fn no_text_makes_a_coder_panic(text in ".{0,12}") {
            for out_of_domain in [OutOfDomain::Clip, OutOfDomain::BecomesMissing] {
                let ages = ages(out_of_domain);
                if let Ok(code) = ages.encode(Cell::Text(&text)) {
                    prop_assert!(u32::from(code) < ages.codes());
                }
            }
        }
    }
}
