//! How a numeric column is cut when the policy does not say.
//!
//! Everything here is a function of the declared bounds, which are public.

use chrono::NaiveDate;
use dpsynth_table::Cells;

/// Cuts an integer column: one cell for each value of a short range, otherwise like a float.
pub(super) fn integer_cells(min: i64, max: i64) -> Cells {
    let values = i128::from(max) - i128::from(min) + 1;
    if values <= MOST_EACH_INTEGER {
        Cells::Each
    } else {
        float_cells(min as f64, max as f64)
    }
}

/// Cuts a float column: logarithmically when it spans orders of magnitude, otherwise evenly.
pub(super) fn float_cells(min: f64, max: f64) -> Cells {
    if max / min.abs().max(1.0) > LOG_RATIO {
        Cells::Log { count: CELLS }
    } else {
        Cells::Linear { count: CELLS }
    }
}

/// Cuts a date column: one cell for each day of a short period, otherwise evenly.
pub(super) fn date_cells(min: NaiveDate, max: NaiveDate) -> Cells {
    let days = (max - min).num_days() + 1;
    if days <= MOST_EACH_DAY {
        Cells::Each
    } else {
        Cells::Linear { count: CELLS }
    }
}

/// Cuts a column of times evenly.
pub(super) fn time_cells() -> Cells {
    Cells::Linear { count: CELLS }
}

/// Number of cells of a column that is not cut at every value.
const CELLS: u32 = 32;

/// The longest range of integers that has a cell for each.
const MOST_EACH_INTEGER: i128 = 128;

/// The longest period that has a cell for each day.
const MOST_EACH_DAY: i64 = 64;

/// The ratio of the largest value to the smallest (at least 1) above which cells are logarithmic.
const LOG_RATIO: f64 = 1000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ranges_have_a_cell_for_each_value() {
        assert_eq!(integer_cells(1, 128), Cells::Each);
        assert_eq!(integer_cells(1, 129), Cells::Linear { count: 32 });
        assert_eq!(integer_cells(0, 99_999), Cells::Log { count: 32 });
        assert_eq!(
            integer_cells(i64::MIN, i64::MAX),
            Cells::Linear { count: 32 }
        );
        assert_eq!(float_cells(0.0, 1000.0), Cells::Linear { count: 32 });
        assert_eq!(float_cells(-5.0, 6000.0), Cells::Log { count: 32 });
        assert_eq!(float_cells(-6000.0, 6000.0), Cells::Linear { count: 32 });
    }

    #[test]
    fn short_periods_have_a_cell_for_each_day() {
        let day = |month, day| NaiveDate::from_ymd_opt(2023, month, day).expect("a real day");
        assert_eq!(date_cells(day(1, 1), day(3, 5)), Cells::Each);
        assert_eq!(
            date_cells(day(1, 1), day(3, 6)),
            Cells::Linear { count: 32 }
        );
    }
}
