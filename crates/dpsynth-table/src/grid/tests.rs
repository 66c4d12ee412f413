use super::*;
use proptest::prelude::*;

fn cells() -> impl Strategy<Value = Cells> {
    prop_oneof![
        (1u32..60).prop_map(|count| Cells::Linear { count }),
        (1u32..60).prop_map(|count| Cells::Log { count }),
        Just(Cells::Fine),
    ]
}

#[test]
fn spikes_stand_alone_wherever_the_cells_are_cut() {
    for cells in [
        Cells::Fine,
        Cells::Linear { count: 7 },
        Cells::Log { count: 30 },
        Cells::Edges {
            edges: vec![10.0, 2872.7],
        },
    ] {
        let spikes = vec![2872.7, 0.0, 357.4, 60_000.0];
        let spiked = Cells::Spiked {
            cells: Box::new(cells.clone()),
            spikes: spikes.clone(),
        };
        let whole = Grid::decimals(0.0, 60_000.0, 1, &spiked).unwrap();
        let real = Grid::reals(-1.0, 60_001.0, &spiked).unwrap();
        for grid in [whole, real] {
            for &spike in &spikes {
                let cell = grid.cell_of(spike).unwrap();
                assert_eq!(grid.draw(cell, 0.0), spike);
                assert_eq!(grid.draw(cell, 0.999), spike);
                for near in [spike - 0.1, spike + 0.1] {
                    assert_ne!(grid.cell_of(near), Some(cell), "{cells:?} {near}");
                }
            }
        }
        // The rest is cut as before, so at most two cells come with each.
        let before = Grid::decimals(0.0, 60_000.0, 1, &cells).unwrap().cells();
        let after = Grid::decimals(0.0, 60_000.0, 1, &spiked).unwrap().cells();
        assert!(
            (before + 1..=before + 8).contains(&after),
            "{cells:?} {before} {after}"
        );
    }
    let each = Cells::Spiked {
        cells: Box::new(Cells::Each),
        spikes: vec![4.0],
    };
    assert_eq!(Grid::integers(0, 9, &each).unwrap().cells(), 10);
}

#[test]
fn fine_cells_keep_numbers_that_many_rows_share() {
    for (min, max) in [
        (0.0, 1.0),
        (-3.5, 120.0),
        (0.0, 1e6),
        (-50.0, 0.0),
        (0.1, 0.2),
    ] {
        let grid = Grid::reals(min, max, &Cells::Fine).unwrap();
        assert!(grid.cells() < 2100, "{min}..{max}");
        let mut shared = vec![min, max];
        shared.extend([0.0, 1.0, 17.0].iter().filter(|v| (min..=max).contains(*v)));
        for value in shared {
            if max - min > MOST_WHOLE && value != 0.0 && value != min && value != max {
                continue;
            }
            let cell = grid.cell_of(value).unwrap();
            for uniform in [0.0, 0.3, 0.7, 0.999_999] {
                assert_eq!(grid.draw(cell, uniform), value, "{min}..{max}");
            }
        }
    }
    let grid = Grid::integers(0, 99_999, &Cells::Fine).unwrap();
    for value in [0, 99_999] {
        let cell = grid.cell_of(f64::from(value)).unwrap();
        assert_eq!(grid.draw_step(cell, 0.9), i64::from(value));
    }
    assert_eq!(
        Grid::integers(-5, 1990, &Cells::Fine).unwrap().cells(),
        1996
    );
}

#[test]
fn zero_has_its_own_cell_on_a_logarithmic_grid() {
    for (min, max) in [(0, 99_999), (-500, 500), (-7, 1_000_000), (-10, 0), (0, 1)] {
        let grid = Grid::integers(min, max, &Cells::Log { count: 20 }).unwrap();
        let zero = grid.cell_of(0.0).unwrap();
        assert!(
            min == 0 || grid.cell_of(-1.0) == Some(zero - 1),
            "{min}..{max}"
        );
        assert!(
            max == 0 || grid.cell_of(1.0) == Some(zero + 1),
            "{min}..{max}"
        );
    }
}

#[test]
fn logarithmic_cells_widen_away_from_zero() {
    let grid = Grid::integers(0, 99_999, &Cells::Log { count: 30 }).unwrap();
    assert_eq!(grid.cells(), 30);
    let edges = grid.edges();
    let widths: Vec<f64> = edges.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(widths[0], 1.0);
    assert!(widths[28] > 20_000.0, "{widths:?}");
    assert!(widths[..28].is_sorted(), "{widths:?}");
}

#[test]
fn more_cells_than_integers_means_one_cell_for_each() {
    let grid = Grid::integers(1, 16, &Cells::Linear { count: 1000 }).unwrap();
    assert_eq!(grid, Grid::integers(1, 16, &Cells::Each).unwrap());
}

#[test]
fn edges_start_cells_and_bounds_are_implied() {
    let cells = Cells::Edges {
        edges: vec![0.0, 1.0, 7.5, 10.0],
    };
    let grid = Grid::integers(0, 20, &cells).unwrap();
    assert_eq!(grid.edges(), [0.0, 1.0, 8.0, 10.0, 20.0]);
    let grid = Grid::reals(0.0, 10.0, &cells).unwrap();
    assert_eq!(grid.edges(), [0.0, 1.0, 7.5, 10.0]);
    assert_eq!(grid.cell_of(10.0), Some(2));
}

#[test]
fn decimal_bounds_off_the_grid_keep_values_inside() {
    let grid = Grid::decimals(0.05, 0.96, 1, &Cells::Each).unwrap();
    assert_eq!(grid.cells(), 9);
    assert_eq!(grid.draw(0, 0.0), 0.1);
    assert_eq!(grid.draw(8, 0.99), 0.9);
    assert_eq!(grid.cell_of(0.96), Some(8));
    assert_eq!(
        Grid::decimals(0.01, 0.09, 1, &Cells::Each),
        Err(SchemaProblem::NoValueBetweenBounds)
    );
    // 0.07 × 100 and 0.29 × 100 are not whole in binary.
    let grid = Grid::decimals(0.07, 0.29, 2, &Cells::Each).unwrap();
    assert_eq!(grid.cells(), 23);
}

#[test]
fn the_widest_ranges_do_not_overflow() {
    for cells in [Cells::Linear { count: 30 }, Cells::Log { count: 30 }] {
        let grid = Grid::integers(i64::MIN, i64::MAX, &cells).unwrap();
        assert_eq!(grid.cells(), 30);
        assert_eq!(grid.draw_step(0, 0.0), i64::MIN);
        assert!(grid.draw_step(29, 1.0) > i64::MAX / 2);
        let grid = Grid::reals(f64::MIN, f64::MAX, &cells).unwrap();
        assert_eq!(grid.cells(), 30);
        assert!((0..30).all(|cell| grid.draw(cell, 0.5).is_finite()));
    }
}

#[test]
fn one_value_is_one_cell() {
    for cells in [Cells::Linear { count: 5 }, Cells::Log { count: 5 }] {
        assert_eq!(Grid::integers(3, 3, &cells).unwrap().cells(), 1);
        let grid = Grid::reals(3.5, 3.5, &cells).unwrap();
        assert_eq!((grid.cells(), grid.draw(0, 0.7)), (1, 3.5));
    }
}

proptest! {
    #[test]
    fn integers_survive_their_cell(
        bounds in (-100_000i64..100_000, 0i64..100_000), cells in cells(),
        at in 0.0..1.0f64, uniform in 0.0..1.0f64,
    ) {
        let (min, max) = (bounds.0, bounds.0 + bounds.1);
        let grid = Grid::integers(min, max, &cells).unwrap();
        let value = min + ((max - min) as f64 * at) as i64;
        let cell = grid.cell_of(value as f64).unwrap();
        prop_assert_eq!(grid.cell_of_step(value), cell);
        let drawn = grid.draw(cell, uniform);
        prop_assert!(drawn >= min as f64 && drawn <= max as f64 && drawn.fract() == 0.0);
        prop_assert_eq!(grid.cell_of(drawn), Some(cell));
        prop_assert!((0..grid.cells()).all(|cell| grid.cell_of(grid.draw(cell, uniform)) == Some(cell)));
    }

    #[test]
    fn decimals_survive_their_cell(
        bounds in (-1e4..1e4f64, 0.5..1e4f64), decimals in 1u8..5, cells in cells(),
        at in 0.0..=1.0f64, uniform in 0.0..1.0f64,
    ) {
        let (min, max) = (bounds.0, bounds.0 + bounds.1);
        let grid = Grid::decimals(min, max, decimals, &cells).unwrap();
        let value = (min + (max - min) * at).clamp(min, max);
        let cell = grid.cell_of(value).unwrap();
        let drawn = grid.draw(cell, uniform);
        prop_assert!(drawn >= min && drawn <= max);
        prop_assert_eq!(grid.cell_of(drawn), Some(cell));
        let text = format!("{drawn:.*}", usize::from(decimals));
        prop_assert_eq!(text.parse::<f64>().unwrap(), drawn);
        prop_assert_eq!(grid.nearest(drawn), drawn);
    }

    #[test]
    fn reals_survive_their_cell(
        min in -1e6..1e6f64, width in 1e-6..1e6f64, cells in cells(),
        at in 0.0..=1.0f64, uniform in 0.0..1.0f64,
    ) {
        let max = min + width;
        let grid = Grid::reals(min, max, &cells).unwrap();
        let value = (min + (max - min) * at).clamp(min, max);
        let cell = grid.cell_of(value).unwrap();
        let drawn = grid.draw(cell, uniform);
        prop_assert!(drawn >= min && drawn <= max);
        prop_assert_eq!(grid.cell_of(drawn), Some(cell));
    }
}
