//! By how much a table's pairs of columns exceed what a mixture expects, and swaps that lessen it.

use dpsynth_privacy::PublicRng;
use dpsynth_privacy::kernel::{Destination, Operand, ProductShape, multiply_f32};

use crate::balance::{Components, below};

/// By how many rows each pair of groups exceeds what the mixture expects, within each class.
pub(crate) struct Excess {
    /// By class, then by the lower and the higher of two groups of different columns.
    cells: Vec<Cell>,
    groups: usize,
    starts: Vec<usize>,
    classed_by: Option<usize>,
    /// What a swap takes from cells and gives to others.
    moves: Vec<(usize, f32)>,
}

#[derive(Clone, Copy)]
struct Cell {
    excess: f32,
    /// Inverse of about the variance that independent draws would have.
    weight: f32,
}

impl Excess {
    /// Starts without rows, at what `counts` rows of the components are expected to be; `None` if
    /// that would take too much memory.
    pub(crate) fn new(components: &Components<'_>, counts: &[usize]) -> Option<Self> {
        let groups = components.groups();
        let mut classed_by = components.classed_by;
        let classes = |classed_by: Option<usize>| {
            classed_by.map_or(0..1, |c| components.starts[c]..components.starts[c + 1])
        };
        if classes(classed_by).len() * groups * groups > MOST_CELLS {
            classed_by = None;
        }
        if groups * groups > MOST_CELLS {
            return None;
        }
        let shape = ProductShape {
            rows: groups,
            inner: counts.len(),
            columns: groups,
        };
        let mut cells = Vec::new();
        for class in classes(classed_by) {
            let mut weighted = components.shares.to_vec();
            for (row, &count) in weighted.chunks_exact_mut(groups).zip(counts) {
                let weight = count as f32 * classed_by.map_or(1.0, |_| row[class]);
                row.iter_mut().for_each(|share| *share *= weight);
            }
            let mut expected = vec![0.0f32; groups * groups];
            let left = (weighted.as_slice(), Operand::Transposed);
            let right = (components.shares, Operand::Plain);
            multiply_f32(shape, left, right, &mut expected, Destination::Overwrite);
            cells.extend(expected.into_iter().map(|expected| Cell {
                excess: -expected,
                weight: (expected + 1.0).recip(),
            }));
        }
        Some(Self {
            cells,
            groups,
            starts: components.starts.to_vec(),
            classed_by,
            moves: Vec::new(),
        })
    }

    /// Counts a row.
    pub(crate) fn add(&mut self, row: &[u16]) {
        let class = self.class(row);
        for first in self.counted(row.len()) {
            for second in self.counted(row.len()).filter(|&second| second > first) {
                let place = self.place(class, self.group(row, first), self.group(row, second));
                self.cells[place].excess += 1.0;
            }
        }
    }

    /// Offers every cell of the rows of a component to another row of it, and swaps the two if that
    /// brings the pairs nearer to what is expected. Columns are independent within a component, so
    /// its rows are as likely after as before.
    pub(crate) fn swap_within(&mut self, rows: &mut [u16], rng: &mut PublicRng) {
        let columns = self.starts.len() - 1;
        let count = rows.len() / columns;
        if count < 2 {
            return;
        }
        for row in 0..count {
            for column in 0..columns {
                let partner = (row + 1 + below(rng, count - 1)) % count;
                let (head, tail) = rows.split_at_mut(row.max(partner) * columns);
                let one = &mut head[row.min(partner) * columns..][..columns];
                let other = &mut tail[..columns];
                if one[column] != other[column] && self.offer(one, other, column) {
                    std::mem::swap(&mut one[column], &mut other[column]);
                }
            }
        }
    }

    /// Whether a swap lessens the weighted squares; if so, it is counted.
    fn offer(&mut self, one: &[u16], other: &[u16], column: usize) -> bool {
        self.moves.clear();
        if Some(column) == self.classed_by {
            self.list_class_moves(one, other);
        } else {
            self.list_moves(one, other, column);
        }
        let change: f32 = self
            .moves
            .iter()
            .map(|&(place, by)| {
                let Cell { excess, weight } = self.cells[place];
                weight * (1.0 + 2.0 * by * excess)
            })
            .sum();
        if change < 0.0 {
            for &(place, by) in &self.moves {
                self.cells[place].excess += by;
            }
        }
        change < 0.0
    }

    /// Lists what changes where two rows swap the groups of a column.
    fn list_moves(&mut self, one: &[u16], other: &[u16], column: usize) {
        let (of_one, of_other) = (self.group(one, column), self.group(other, column));
        let (class_of_one, class_of_other) = (self.class(one), self.class(other));
        for beside in self.counted(one.len()).filter(|&beside| beside != column) {
            let (a, b) = (self.group(one, beside), self.group(other, beside));
            if a != b || class_of_one != class_of_other {
                self.moves.extend([
                    (self.place(class_of_one, of_one, a), -1.0),
                    (self.place(class_of_other, of_other, b), -1.0),
                    (self.place(class_of_one, of_other, a), 1.0),
                    (self.place(class_of_other, of_one, b), 1.0),
                ]);
            }
        }
    }

    /// Lists what changes where two rows swap their classes.
    fn list_class_moves(&mut self, one: &[u16], other: &[u16]) {
        let (class_of_one, class_of_other) = (self.class(one), self.class(other));
        for first in self.counted(one.len()) {
            for second in self.counted(one.len()).filter(|&second| second > first) {
                if one[first] == other[first] && one[second] == other[second] {
                    continue;
                }
                let of_one = (self.group(one, first), self.group(one, second));
                let of_other = (self.group(other, first), self.group(other, second));
                self.moves.extend([
                    (self.place(class_of_one, of_one.0, of_one.1), -1.0),
                    (self.place(class_of_other, of_other.0, of_other.1), -1.0),
                    (self.place(class_of_other, of_one.0, of_one.1), 1.0),
                    (self.place(class_of_one, of_other.0, of_other.1), 1.0),
                ]);
            }
        }
    }

    /// The columns of which pairs are counted: all but that of the classes.
    fn counted(&self, columns: usize) -> impl Iterator<Item = usize> + use<> {
        let classed_by = self.classed_by;
        (0..columns).filter(move |&column| Some(column) != classed_by)
    }

    fn class(&self, row: &[u16]) -> usize {
        self.classed_by.map_or(0, |column| usize::from(row[column]))
    }

    fn group(&self, row: &[u16], column: usize) -> usize {
        self.starts[column] + usize::from(row[column])
    }

    fn place(&self, class: usize, a: usize, b: usize) -> usize {
        (class * self.groups + a.min(b)) * self.groups + a.max(b)
    }
}

/// Cells of 8 bytes that are held at most.
const MOST_CELLS: usize = 1 << 23;
