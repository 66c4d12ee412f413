//! A junction tree of small cliques, grown column by column.

/// A column of a junction tree, and the columns that it is drawn after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeNode {
    /// The column.
    pub column: usize,
    /// Earlier columns, all of which are within one clique: that of an earlier node and its
    /// parents.
    pub parents: Vec<usize>,
}

/// Grows a tree by adding, again and again, the column that gains most from the columns it joins
/// (Prim 1957, with several parents: a partial k-tree).
///
/// `gains` lists every pair of columns; pairs that gain nothing are left out, so the tree may be a
/// forest. A column has [`MOST_PARENTS`] at most, and a clique at most `most_cells` cells.
pub(super) fn grow(
    sizes: &[usize],
    gains: &[((usize, usize), f64)],
    most_cells: usize,
) -> Vec<TreeNode> {
    let columns = sizes.len();
    let mut gain = vec![0.0; columns * columns];
    for &((a, b), value) in gains {
        gain[a * columns + b] = value;
        gain[b * columns + a] = value;
    }
    let gain = |a: usize, b: usize| gain[a * columns + b];
    let mut left: Vec<usize> = (0..columns).collect();
    let mut tree: Vec<TreeNode> = Vec::new();
    while !left.is_empty() {
        let mut best: Option<(f64, TreeNode)> = None;
        for &column in &left {
            for clique in &tree {
                let mut members = clique.parents.clone();
                members.push(clique.column);
                members.sort_by(|&a, &b| gain(column, b).total_cmp(&gain(column, a)));
                let (mut value, mut cells, mut parents) = (0.0, sizes[column], Vec::new());
                for member in members {
                    let room = parents.len() < MOST_PARENTS && cells * sizes[member] <= most_cells;
                    // A pair is counted anyway, so it is a clique however many cells it has.
                    if gain(column, member) > 0.0 && (room || parents.is_empty()) {
                        value += gain(column, member);
                        cells *= sizes[member];
                        parents.push(member);
                    }
                }
                if value > best.as_ref().map_or(0.0, |&(best, _)| best) {
                    best = Some((value, TreeNode { column, parents }));
                }
            }
        }
        let node = best.map_or_else(|| root(&left, &gain), |(_, node)| node);
        left.retain(|&column| column != node.column);
        tree.push(node);
    }
    tree
}

/// The column with the largest gain among those that are left, to begin a tree.
fn root(left: &[usize], gain: &dyn Fn(usize, usize) -> f64) -> TreeNode {
    let largest = |&column: &usize| {
        let others = left.iter().filter(|&&other| other != column);
        others
            .map(|&other| gain(column, other))
            .fold(f64::NEG_INFINITY, f64::max)
    };
    let column = left
        .iter()
        .copied()
        .reduce(|a, b| if largest(&b) > largest(&a) { b } else { a });
    TreeNode {
        // OK because a root is asked for only while columns are left.
        column: column.expect("a column"),
        parents: Vec::new(),
    }
}

/// All pairs within the cliques of a tree, the smaller column first.
pub(super) fn edges(tree: &[TreeNode]) -> Vec<(usize, usize)> {
    tree.iter()
        .flat_map(|node| {
            let of = move |&parent: &usize| (node.column.min(parent), node.column.max(parent));
            node.parents.iter().map(of)
        })
        .collect()
}

/// Most columns that a column is drawn after, besides the one that pairs are split by.
const MOST_PARENTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(columns: usize, gain: impl Fn(usize, usize) -> f64) -> Vec<((usize, usize), f64)> {
        let mut gains = Vec::new();
        for a in 0..columns {
            for b in a + 1..columns {
                gains.push(((a, b), gain(a, b)));
            }
        }
        gains
    }

    /// Parents come first, and are within one earlier clique: the running intersection property of
    /// a junction tree.
    fn check(tree: &[TreeNode], columns: usize) {
        for (place, node) in tree.iter().enumerate() {
            let earlier = &tree[..place];
            assert!(node.parents.len() <= MOST_PARENTS);
            let within = |clique: &TreeNode| {
                let member = |p: &usize| *p == clique.column || clique.parents.contains(p);
                node.parents.iter().all(member)
            };
            assert!(node.parents.is_empty() || earlier.iter().any(within));
        }
        let mut all: Vec<_> = tree.iter().map(|node| node.column).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..columns));
    }

    #[test]
    fn a_chain_is_found() {
        let gains = pairs(6, |a, b| if b == a + 1 { 5.0 } else { -1.0 });
        let tree = grow(&[4; 6], &gains, 1000);
        check(&tree, 6);
        let mut found = edges(&tree);
        found.sort_unstable();
        assert_eq!(found, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
    }

    #[test]
    fn several_parents_need_gains_and_room() {
        let gains = pairs(3, |_, _| 1.0);
        let tree = grow(&[10; 3], &gains, 1000);
        check(&tree, 3);
        assert_eq!(edges(&tree).len(), 3);
        assert_eq!(edges(&grow(&[10; 3], &gains, 999)).len(), 2);
        let nothing = pairs(3, |_, _| -1.0);
        let tree = grow(&[10; 3], &nothing, 1000);
        check(&tree, 3);
        assert!(edges(&tree).is_empty());
    }

    #[test]
    fn any_gains_make_a_junction_tree() {
        let mut state = 1u64;
        for columns in 1..12 {
            let mut draws = vec![];
            for _ in 0..columns * columns {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                draws.push((state >> 40) as f64 / 1e6 - 6.0);
            }
            let tree = grow(
                &vec![3; columns],
                &pairs(columns, |a, b| draws[a * columns + b]),
                27,
            );
            check(&tree, columns);
        }
    }
}
