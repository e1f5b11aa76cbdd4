//! Weighted least squares over a few columns, from sums alone: what was measured is added up and never kept.

/// Most columns of a problem.
pub(super) const COLUMNS: usize = 5;

/// The sums that a least-squares problem is solved from: X'X, X'y, y'y.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    xx: [[f64; COLUMNS]; COLUMNS],
    xy: [f64; COLUMNS],
    yy: f64,
}

impl Sums {
    /// Takes one row.
    pub fn push(&mut self, x: [f64; COLUMNS], y: f64) {
        for (i, a) in x.iter().enumerate() {
            for (j, b) in x.iter().enumerate() {
                self.xx[i][j] += a * b;
            }
            self.xy[i] += a * y;
        }
        self.yy += y * y;
    }

    /// Takes the rows of another, each counted `weight` times.
    pub fn add(&mut self, other: &Sums, weight: f64) {
        for i in 0..COLUMNS {
            for j in 0..COLUMNS {
                self.xx[i][j] += weight * other.xx[i][j];
            }
            self.xy[i] += weight * other.xy[i];
        }
        self.yy += weight * other.yy;
    }

    /// Sum over rows of column `i` times column `j`. By custom column 0 holds ones, so (0, 0) is the number of rows.
    pub fn product(&self, i: usize, j: usize) -> f64 {
        self.xx[i][j]
    }

    /// Sum over rows of column `i` times y.
    pub fn with_y(&self, i: usize) -> f64 {
        self.xy[i]
    }

    /// The coefficients of these columns; `None` if the rows don't tell them apart.
    pub fn solve(&self, columns: &[usize]) -> Option<Vec<f64>> {
        // Scaled to a unit diagonal, so that tokens and their squares can stand in one problem.
        let scale: Vec<f64> = columns.iter().map(|&i| self.xx[i][i].sqrt()).collect();
        if scale.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return None;
        }
        let at = |i: usize, j: usize| self.xx[columns[i]][columns[j]] / (scale[i] * scale[j]);
        let k = columns.len();
        // Cholesky: the matrix is L L'.
        let mut l = vec![vec![0.0; k]; k];
        for i in 0..k {
            for j in 0..=i {
                let rest: f64 = at(i, j) - (0..j).map(|m| l[i][m] * l[j][m]).sum::<f64>();
                // What is left of a unit column once the others are taken out of it.
                if i == j && rest < 1e-9 {
                    return None;
                }
                l[i][j] = if i == j { rest.sqrt() } else { rest / l[j][j] };
            }
        }
        let mut forward = vec![0.0; k];
        for i in 0..k {
            let known: f64 = (0..i).map(|m| l[i][m] * forward[m]).sum();
            forward[i] = (self.xy[columns[i]] / scale[i] - known) / l[i][i];
        }
        let mut told = vec![0.0; k];
        for i in (0..k).rev() {
            let known: f64 = (i + 1..k).map(|m| l[m][i] * told[m]).sum();
            told[i] = (forward[i] - known) / l[i][i];
        }
        let told: Vec<f64> = told.into_iter().zip(&scale).map(|(b, s)| b / s).collect();
        told.iter().all(|b| b.is_finite()).then_some(told)
    }

    /// The coefficients of these columns with none below zero: the best of the solutions with some of them left out
    /// (Lawson and Hanson, Solving Least Squares Problems, chapter 23; with so few columns all can be tried), and its sum of
    /// squared residuals.
    pub fn solve_nonnegative(&self, columns: &[usize]) -> Option<(Vec<f64>, f64)> {
        let mut best: Option<(Vec<f64>, f64)> = None;
        for kept in 1_u32..1 << columns.len() {
            let some: Vec<usize> = (0..columns.len()).filter(|at| kept >> at & 1 == 1).collect();
            let chosen: Vec<usize> = some.iter().map(|at| columns[*at]).collect();
            let Some(solved) = self.solve(&chosen).filter(|told| told.iter().all(|b| *b >= 0.0)) else { continue };
            let mut all = vec![0.0; columns.len()];
            some.iter().zip(&solved).for_each(|(at, b)| all[*at] = *b);
            let left = self.left(columns, &all);
            if best.as_ref().is_none_or(|(_, least)| left < *least) {
                best = Some((all, left));
            }
        }
        best
    }

    /// Sum of squared residuals at these coefficients.
    pub fn left(&self, columns: &[usize], at: &[f64]) -> f64 {
        let cross: f64 = columns.iter().zip(at).map(|(&i, b)| b * self.xy[i]).sum();
        let square: f64 = columns
            .iter()
            .zip(at)
            .map(|(&i, a)| columns.iter().zip(at).map(|(&j, b)| a * b * self.xx[i][j]).sum::<f64>())
            .sum();
        let left = self.yy - 2.0 * cross + square;
        // No `max`, which would make nothing of what is no number.
        if left < 0.0 { 0.0 } else { left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(rows: &[(f64, f64, f64)]) -> Sums {
        let mut sums = Sums::default();
        rows.iter().for_each(|(a, b, y)| sums.push([1.0, *a, *b, 0.0, 0.0], *y));
        sums
    }

    #[test]
    fn a_plane_is_found_again() {
        let at = |a: f64, b: f64| (a, b, 3.0 + 0.5 * a - 2.0 * b);
        let found = sums(&[at(0.0, 1.0), at(4.0, 2.0), at(9.0, 9.0), at(1e4, 3.0)]).solve(&[0, 1, 2]).unwrap();
        for (found, want) in found.iter().zip([3.0, 0.5, -2.0]) {
            assert!((found - want).abs() < 1e-8, "{found} {want}");
        }
    }

    #[test]
    fn columns_that_go_together_are_not_told_apart() {
        let rows = sums(&[(1.0, 2.0, 1.0), (2.0, 4.0, 3.0), (3.0, 6.0, 4.0)]);
        assert_eq!(rows.solve(&[0, 1, 2]), None);
        assert_eq!(rows.solve(&[0, 3]), None);
        assert!(rows.solve(&[0, 1]).is_some());
    }

    #[test]
    fn what_would_be_below_zero_is_zero() {
        let rows = sums(&[(0.0, 1.0, 4.0), (1.0, 3.0, 2.0), (2.0, 0.0, 5.0)]);
        assert!(rows.solve(&[0, 1, 2]).unwrap().iter().any(|b| *b < 0.0));
        let (bounded, left) = rows.solve_nonnegative(&[0, 1, 2]).unwrap();
        assert!(bounded.iter().all(|b| *b >= 0.0), "{bounded:?}");
        for step in [[0.01, 0.0, 0.0], [-0.01, 0.0, 0.0], [0.0, 0.01, 0.0], [0.0, 0.0, 0.01]] {
            let near: Vec<f64> = bounded.iter().zip(step).map(|(b, s)| b + s).collect();
            assert!(near.iter().any(|b| *b < 0.0) || rows.left(&[0, 1, 2], &near) >= left, "{near:?}");
        }
    }
}
